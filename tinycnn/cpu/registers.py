"""A tile of sums that stays in the processor's registers.

A processor does not compute with memory. It loads numbers into registers, of which it has 16 or 32, and a register holds a
whole vector: 8 numbers of float32 (32 bytes; processors with AVX-512: 16 numbers, 64 bytes). One instruction multiplies two
vectors and adds the product to a third, and two such instructions can start in every cycle. A load takes as long as such an
instruction, so whoever loads two vectors for each of them is slow; the art is to use each number often while it is there.

A tile is J rows of V vectors, all of them sums. Its one step is an outer product: load V vectors of weights and J single
numbers, and add each number times each vector to the sum that belongs to both:

                      w:   [ v = 0 ][ v = 1 ]        V vectors of LANES neighbouring weights (filters)
    x[i]           ->  .   [ + x w ][ + x w ]
    x[i + step]    ->  .   [ + x w ][ + x w ]        J pixels, `step` numbers apart: J * V instructions for V + J loads
    x[i + 2 step]  ->  .   [ + x w ][ + x w ]

Convolution, its gradients, Winograd's transforms and products of matrices are a few loops round this step. When they end,
the tile is written to memory, once. J * V sums, the V vectors and a number must have room in the registers together.

Here the tile is a type of its own, which Numba's loops can hold in a variable:

    t = zero(J, V, x)                sums of the type of the array x, all of them 0
    t = outer(t, x, i, step, w, k)   t[j, v] += x[i + j * step] * w[k + v * LANES : k + (v + 1) * LANES]
    t = each(t, x, i, step, w, k)    the same with LANES numbers from x[i + j * step + v * LANES] on, one for each of w's
    put(t, y, i, step)               y[i + j * step : ...] = t[j]
    add(t, y, i, step)               y[i + j * step : ...] += t[j]
    t = get(t, y, i, step)           what `put` wrote

Arrays are flat. J and V are constants: the loops over them run here, while machine code is generated, and leave none behind.
"""
import os

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model


def _features():
    """The names of what this processor can do."""
    given = os.environ.get("NUMBA_CPU_FEATURES")
    if given:
        return {name[1:] for name in given.split(",") if name.startswith("+")}
    return {name for name, there in llvm.get_host_cpu_features().items() if there}


WIDE = "avx512f" in _features()
BYTES = 64 if WIDE else 32   # of a vector


def lanes(dtype):
    """How many numbers of `dtype` a vector holds."""
    return BYTES // dtype.itemsize


# ---- the type --------------------------------------------------------------------------------------------------------

class Tile(types.Type):
    """`rows` by `vectors` vectors of numbers of the type `scalar`."""

    def __init__(self, rows, vectors, scalar):
        self.rows, self.vectors, self.scalar, self.lanes = rows, vectors, scalar, BYTES * 8 // scalar.bitwidth
        super().__init__(f"tile({rows}, {vectors}, {scalar})")

    @property
    def vector(self):
        """A vector, as LLVM calls it."""
        return ir.VectorType(ir.FloatType() if self.scalar == types.float32 else ir.DoubleType(), self.lanes)


@register_model(Tile)
class TileModel(models.PrimitiveModel):
    """In machine code a tile is its vectors, row by row."""

    def __init__(self, manager, tile):
        super().__init__(manager, tile, ir.ArrayType(tile.vector, tile.rows * tile.vectors))


# ---- words of LLVM ---------------------------------------------------------------------------------------------------

def _number(context, builder, kind, array, place):
    """The address of a number of an array."""
    return builder.gep(context.make_array(kind)(context, builder, array).data, [place], inbounds=True)


def _vectors(context, builder, tile, kind, array, i, step, rows=None):
    """The addresses of the vectors of a tile, row by row, in an array in which the rows stand `step` apart, from i on."""
    for j in range(tile.rows if rows is None else rows):
        row = builder.add(i, builder.mul(ir.Constant(i.type, j), step))
        for v in range(tile.vectors):
            place = builder.add(row, ir.Constant(i.type, v * tile.lanes))
            yield builder.bitcast(_number(context, builder, kind, array, place), tile.vector.as_pointer())


def _load(builder, address, kind):
    """A vector, which need not begin at a multiple of its size."""
    vector = builder.load(address, typ=kind)
    vector.align = 4
    return vector


def _spread(builder, number, kind):
    """A vector of one number."""
    nothing = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(nothing, number, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(ir.IntType(32), kind.count), [0] * kind.count))


def _products(tile, x, w, factors):
    """The code of t[j, v] += factor * w[k + v * LANES : ...]; `factors` yields the vectors of factors, row by row."""
    def code(context, builder, signature, args):
        t, x_, i, step, w_, k = args
        kind = tile.vector
        multiply_add = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(kind, [kind] * 3), f"llvm.fma.v{kind.count}f{tile.scalar.bitwidth}")
        weights = [_load(builder, place, kind) for place in _vectors(context, builder, tile, w, w_, k, k, rows=1)]
        for n, factor in enumerate(factors(context, builder, x_, i, step)):
            total = builder.call(multiply_add, [factor, weights[n % tile.vectors], builder.extract_value(t, n)])
            t = builder.insert_value(t, total, n)
        return t
    return tile(tile, x, types.intp, types.intp, w, types.intp), code


# ---- what loops do with a tile ---------------------------------------------------------------------------------------

@intrinsic(prefer_literal=True)
def zero(typing, J, V, like):
    """A tile of zeros: J rows by V vectors, of the type of the array `like`."""
    tile = Tile(J.literal_value, V.literal_value, like.dtype)
    return tile(J, V, like), lambda context, builder, signature, args: ir.Constant(context.get_value_type(tile), None)


@intrinsic
def outer(typing, tile, x, i, step, w, k):
    """t[j, v] += x[i + j * step] * w[k + v * LANES : k + (v + 1) * LANES]."""
    def factors(context, builder, x_, i, step):
        for j in range(tile.rows):
            place = builder.add(i, builder.mul(ir.Constant(i.type, j), step))
            number = _spread(builder, builder.load(_number(context, builder, x, x_, place)), tile.vector)
            yield from [number] * tile.vectors
    return _products(tile, x, w, factors)


@intrinsic
def each(typing, tile, x, i, step, w, k):
    """t[j, v] += x[i + j * step + v * LANES : ...] * w[k + v * LANES : ...], number by number."""
    def factors(context, builder, x_, i, step):
        for address in _vectors(context, builder, tile, x, x_, i, step):
            yield _load(builder, address, tile.vector)
    return _products(tile, x, w, factors)


def _written(tile, y, what):
    """The code that writes what(builder, vector, address) to the address of each vector of a tile."""
    def code(context, builder, signature, args):
        for n, address in enumerate(_vectors(context, builder, tile, y, *args[1:])):
            vector = what(builder, builder.extract_value(args[0], n), address)
            builder.store(vector, address).align = 4
        return context.get_dummy_value()
    return types.void(tile, y, types.intp, types.intp), code


@intrinsic
def put(typing, tile, y, i, step):
    """y[i + j * step : ...] = t[j]."""
    return _written(tile, y, lambda builder, vector, address: vector)


@intrinsic
def add(typing, tile, y, i, step):
    """y[i + j * step : ...] += t[j]."""
    return _written(tile, y, lambda builder, vector, address: builder.fadd(vector, _load(builder, address, tile.vector)))


@intrinsic
def get(typing, tile, y, i, step):
    """The tile of what `put` wrote."""
    def code(context, builder, signature, args):
        t = args[0]
        for n, address in enumerate(_vectors(context, builder, tile, y, *args[1:])):
            t = builder.insert_value(t, _load(builder, address, tile.vector), n)
        return t
    return tile(tile, y, types.intp, types.intp), code


@intrinsic
def put_some(typing, tile, y, i, step, rows, columns):
    """`put`, but only the first `rows` rows, and of each only the first `columns` numbers."""
    def code(context, builder, signature, args):
        t, y_, i, step, rows, columns = args
        kind, whole = tile.vector, ir.VectorType(i.type, tile.lanes)
        store = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [kind, kind.as_pointer(), ir.IntType(32),
                                                            ir.VectorType(ir.IntType(1), tile.lanes)]),
            f"llvm.masked.store.v{kind.count}f{tile.scalar.bitwidth}.p0")
        for n, address in enumerate(_vectors(context, builder, tile, y, y_, i, step)):
            j, v = divmod(n, tile.vectors)
            numbers = ir.Constant(whole, [v * tile.lanes + lane for lane in range(tile.lanes)])
            mask = builder.icmp_signed("<", numbers, _spread(builder, columns, whole))
            with builder.if_then(builder.icmp_signed(">", rows, ir.Constant(rows.type, j))):
                builder.call(store, [builder.extract_value(t, n), address, ir.Constant(ir.IntType(32), 4), mask])
        return context.get_dummy_value()
    return types.void(tile, y, types.intp, types.intp, types.intp, types.intp), code
