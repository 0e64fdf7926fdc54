"""Waiting without sleep, where Numba is installed.

A thread that sleeps takes 20 to 60 us to wake up, as long as a small operation lasts. One that looks again and again whether
a number in memory has changed goes on at once; the price is that it keeps its core busy. So threads wait like this for a
short while (`workers.PATIENCE`), which is enough from one operation of a training step to the next, and then go to sleep.

Numbers are looked at without Python's lock, which whoever they wait for may need.
"""
import functools
import time

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .compiled import compiled

# an instruction that tells the processor to be in no hurry
PAUSE = {"x86_64": ("llvm.x86.sse2.pause", []), "aarch64": ("llvm.aarch64.hint", [1])}.get(
    llvm.get_process_triple().partition("-")[0])


@intrinsic
def look(typing, cell):
    """cell[0], read from memory each time, after a pause."""
    def code(context, builder, signature, args):
        if PAUSE:
            name, numbers = PAUSE
            kinds = [ir.IntType(32)] * len(numbers)
            pause = cgutils.get_or_insert_function(builder.module, ir.FunctionType(ir.VoidType(), kinds), name)
            builder.call(pause, [kind(number) for kind, number in zip(kinds, numbers)])
        return builder.load_atomic(context.make_array(cell)(context, builder, args[0]).data, "acquire", 8)
    return types.int64(cell), code


@intrinsic
def say(typing, cell, number):
    """cell[0] = number, for other threads to see; everything written before it they see, too."""
    def code(context, builder, signature, args):
        builder.store_atomic(args[1], context.make_array(cell)(context, builder, args[0]).data, "release", 8)
        return context.get_dummy_value()
    return types.void(cell, types.int64), code


def meet(said, number, heard, before, times):
    """Say `number`, then listen until something else than `before` is said: whether it was, within `times` looks."""
    say(said, number)
    for _ in range(times):
        if look(heard) != before:
            return True
    return False


@functools.cache
def meeting():
    """(`meet` compiled, how many looks it takes in a second)."""
    quick, cell = compiled(meet), np.zeros(1, np.int64)

    def seconds():
        start = time.perf_counter()
        quick(cell, 0, cell, 0, 1000)
        return time.perf_counter() - start
    seconds()
    return quick, 1000 / min(seconds() for _ in range(5))
