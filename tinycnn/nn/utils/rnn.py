"""Rows of unequal length in one tensor."""
from ...ops.rearrange import stack
from ...engine.checks import check_tensor
from ..functional import pad


def pad_sequence(sequences, batch_first=False, padding_value=0.0, padding_side="right"):
    """`sequences`, tensors (L_i, *), in one tensor (max L, N, *), or (N, max L, *) if `batch_first`.

    The shorter ones are filled with `padding_value` at their end, or at their beginning (`padding_side` "left").
    """
    sequences = list(sequences)
    if padding_side not in ("right", "left"):
        raise ValueError(f"pad_sequence: padding_side must be 'right' or 'left', got {padding_side!r}")
    for x in sequences:
        check_tensor("pad_sequence", sequences=x)
    if not sequences or any(x.ndim == 0 for x in sequences):
        raise ValueError("pad_sequence: sequences must be tensors of at least one dimension, got "
                         f"{[tuple(x.shape) for x in sequences]}")
    longest = max(len(x) for x in sequences)
    rows = []
    for x in sequences:
        missing = (0, longest - len(x)) if padding_side == "right" else (longest - len(x), 0)
        rows.append(pad(x, (0, 0) * (x.ndim - 1) + missing, value=padding_value))
    return stack(rows, 0 if batch_first else 1)


class PackedSequence:
    """The class of packed rows, for code that asks whether it was given some: without recurrent layers there are none."""
