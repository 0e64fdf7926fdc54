"""Safetensors files with a checksum: what a broken disk or a cut connection changed is noticed when the file is read.

A safetensors file is the length of its header (8 bytes), the header (JSON: the dtype, shape and place of each tensor, and
a dictionary of strings, `__metadata__`), and the numbers. Ours have a checksum of the whole file among the metadata, taken
while its own digits were zeros. Every other program reads such a file as well, and knows nothing of it.

The checksum reads the numbers as a table of 64-bit words, 512 in a row (4096 bytes, a page of a disk), and is the hash of
the header, the sum of every row and the sum of every column. A sum is many times as fast as a hash, and two kinds of them
leave little unnoticed: what is changed shows in its row and in its column, what is moved within a row in its columns, and
what is moved to another row in its rows. Only changes of at least four words, at the corners of a rectangle and each making
up for its neighbours, could hide. (Against somebody who changes a file on purpose no checksum inside of it helps.)
"""
import hashlib
import json
import math
import zlib

import numpy as np

from ..engine.names import printable

CHECK, OLDER = "tinycnn.sum64", "tinycnn.crc32"   # the second in files of before, the CRC-32 of the whole
BFLOAT16 = "bfloat16"
DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": BFLOAT16, "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
          "U8": "u1", "BOOL": "?"}
MOST_DIMENSIONS, LONGEST_HEADER = 64, 10**8  # NumPy's limit, and that of safetensors
MOST_TENSORS = 100_000
ROW = 512   # words


def seal(arrays, metadata):
    """The bytes of a file with `arrays` ({name: array}) and `metadata` ({name: string})."""
    from safetensors.numpy import save
    content = bytearray(save(arrays, {**metadata, CHECK: "0" * 16}))
    start = _start(content)
    place = 8 + _digits(content[8:start], CHECK)
    content[place:place + 16] = checksum(content[:start], memoryview(content)[start:])
    return content


def checksum(header, numbers):
    """16 hexadecimal digits for a file: `header` are its bytes before the numbers, with zeros in place of the digits."""
    words = np.frombuffer(numbers, "<u8", len(numbers) // 8)
    table = words[:len(words) // ROW * ROW].reshape(-1, ROW)
    digest = hashlib.blake2b(header, digest_size=8)
    for sums in (table.sum(0), table.sum(1)):
        digest.update(sums.astype("<u8"))
    digest.update(numbers[table.nbytes:])
    return digest.hexdigest().encode()


def _start(content):
    """Where the numbers begin."""
    return 8 + int.from_bytes(content[:8], "little")


def _digits(header, name):
    """Where in the header the digits of the checksum `name` begin; ValueError where it is not written as we write it."""
    mark = f'"{name}":"'.encode()
    place = header.find(mark)
    if place < 0:
        raise ValueError("damaged: the checksum is not legible")
    return place + len(mark)


def unseal(content):
    """({name: array}, metadata) of any safetensors file; ValueError where it is damaged, as far as can be known."""
    start = _start(content)
    if not 8 < start <= len(content) or start > LONGEST_HEADER:
        raise ValueError(f"damaged: no header of {start - 8:,} bytes in a file of {len(content):,}")
    header = bytes(content[8:start])
    entries = json.loads(header, object_pairs_hook=_without_repetition)
    metadata = entries.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("damaged: its metadata must be a dictionary of strings")
    if CHECK in metadata or OLDER in metadata:
        _verify(content, header, CHECK if CHECK in metadata else OLDER)
    elif len(metadata) > 1 and any(name.startswith("tinycnn") for name in metadata):
        raise ValueError("damaged: the name of the checksum is not legible")  # our files without one have a single entry
    if len(entries) > MOST_TENSORS:
        raise ValueError(f"refused: {len(entries):,} tensors; at most {MOST_TENSORS:,} are read")
    arrays, ends = {}, [(0, 0)]
    for name, entry in entries.items():
        shown, shape, (begin, end) = repr(printable(name)), entry["shape"], entry["data_offsets"]
        if entry["dtype"] not in DTYPES:
            raise ValueError(f"tensor {shown} has dtype {printable(entry['dtype'])}; expected one of {', '.join(DTYPES)}")
        dtype, count = DTYPES[entry["dtype"]], check_shape(shape)
        check_shape((begin, end))
        if end - begin != count * (2 if dtype == BFLOAT16 else np.dtype(dtype).itemsize):
            raise ValueError(f"damaged: tensor {shown} of shape {shape} has {end - begin} bytes")
        arrays[name] = from_bytes(memoryview(content)[start + begin:start + end], dtype).reshape(shape)
        ends.append((begin, end))
    ends.sort()
    if any(end != begin for (_, end), (begin, _) in zip(ends, ends[1:])) or start + ends[-1][1] != len(content):
        raise ValueError("damaged: the tensors do not lie one after the other to the end of the file")
    return arrays, metadata


def _without_repetition(pairs):
    """A dictionary of the JSON of a header, in which no name stands twice."""
    if len(found := dict(pairs)) < len(pairs):
        raise ValueError("damaged: a name stands twice in the header")
    return found


def _verify(content, header, name):
    """ValueError where the checksum `name` of a file is not that of its content."""
    place, length = _digits(header, name), 16 if name == CHECK else 8
    zeroed = bytes(content[:8]) + header[:place] + b"0" * length + header[place + length:]
    numbers = memoryview(content)[len(zeroed):]
    right = checksum(zeroed, numbers) if name == CHECK else b"%08x" % zlib.crc32(numbers, zlib.crc32(zeroed))
    if header[place:place + length] != right:
        raise ValueError("damaged: the checksum does not fit the content")


def from_bytes(raw, dtype):
    """`raw` as a new array of the little-endian `dtype`; bfloat16, the upper half of a float32, as float32."""
    if dtype == BFLOAT16:
        return (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
    if dtype == "?":
        return np.frombuffer(raw, np.uint8) != 0
    return np.frombuffer(raw, dtype).astype(np.dtype(dtype).newbyteorder("="))


def most_unpacked(packed):
    """To how many bytes a file of `packed` bytes is unpacked at most: honest data do not need more."""
    return max(2**28, 20 * packed)


def check_shape(shape):
    """ValueError where `shape` is none: what a file says is printed only when it was looked at."""
    if not isinstance(shape, (tuple, list)) or not all(type(n) is int and 0 <= n < 2**63 for n in shape):
        raise ValueError("damaged: the shape of a tensor is impossible: it must be whole numbers from 0 to 2^63 - 1")
    if len(shape) > MOST_DIMENSIONS:
        raise ValueError(f"damaged: a tensor of {len(shape)} dimensions; at most {MOST_DIMENSIONS} are possible")
    return math.prod(shape)
