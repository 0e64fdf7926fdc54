"""Checks of the positional encoding."""
import math

import numpy as np

from .. import expect
from ..exercise import Exercise

exercise = Exercise(
    title="Sines that tell where", lecture=9, minutes=25,
    hints=("A column of positions, np.arange(T)[:, None], times a row of D/2 speeds gives all angles (T, D/2) at once. "
           "np.sin wants radians, which they are.",
           "np.arange(0, D, 2) is already 2 i, so the speeds are 10000 ** (-np.arange(0, D, 2) / D). Put the sines into "
           "pe[:, 0::2] and the cosines into pe[:, 1::2].",
           "With c = k r[i] the block of hand i is [[cos c, sin c], [-sin c, cos c]]: its rows are the two formulas for the "
           "sine and the cosine of a sum."))


def encode(T, D, speed=lambda i, D: 10000**(-2 * i / D), first=math.sin, second=math.cos, start=0):
    """The oracle, number after number; the arguments allow for what goes wrong."""
    pe = np.zeros((T, D))
    for t in range(T):
        for i in range(D // 2):
            angle = (t + start) * speed(i, D)
            pe[t, 2 * i], pe[t, 2 * i + 1] = first(angle), second(angle)
    return pe


def each_column(T, D):
    """What those get who give every column a speed of its own."""
    return np.array([[(math.cos if d % 2 else math.sin)(t * 10000**(-d / D)) for d in range(D)] for t in range(T)])


@exercise.check(points=15, name="the shape")
def shape(student, rng):
    T, D = int(rng.integers(3, 8)), 2 * int(rng.integers(4, 7))
    pe = student.positional_encoding(T, D)
    expect.shape("pe", pe, (T, D))
    expect.finite("pe", pe)


@exercise.check(points=45, name="the encodings")
def encodings(student, rng):
    for T, D in ((int(rng.integers(5, 9)), 6), (3, 8), (4, 2), (1, 4)):
        right = encode(T, D)
        expect.close("pe", student.positional_encoding(T, D), right, mistaken=None if D == 2 or T == 1 else {
            "takes degrees for radians: np.sin wants radians, and t r[i] is in radians":
                encode(T, D, first=lambda a: math.sin(math.radians(a)), second=lambda a: math.cos(math.radians(a))),
            "counts positions from 1: the first is 0": encode(T, D, start=1),
            "has sine and cosine exchanged: the sine stands in the even columns":
                encode(T, D, first=math.cos, second=math.sin),
            "has all sines first and then all cosines: they stand next to each other, pe[:, 0::2] and pe[:, 1::2]":
                np.concatenate([right[:, 0::2], right[:, 1::2]], 1),
            "halves the exponent: it is -2 i / D, where i counts the hands (pairs of columns)":
                encode(T, D, speed=lambda i, D: 10000**(-i / D)),
            "doubles the exponent: np.arange(0, D, 2) is 2 i already":
                encode(T, D, speed=lambda i, D: 10000**(-4 * i / D)),
            "gives each column a speed of its own: sine and cosine of a pair share theirs": each_column(T, D),
            "grows faster from hand to hand, and should grow slower: the exponent is negative, -2 i / D":
                encode(T, D, speed=lambda i, D: 10000**(2 * i / D)),
            "takes e for 10000": encode(T, D, speed=lambda i, D: math.exp(-2 * i / D)),
            "multiplies the angles with 2 pi": encode(T, D, speed=lambda i, D: 2 * math.pi * 10000**(-2 * i / D)),
            "has sines only: the odd columns are cosines": encode(T, D, second=math.sin)})


def turned(angles):
    """The matrix that turns each hand by its angle."""
    M = np.zeros((2 * len(angles), 2 * len(angles)))
    for i, c in enumerate(angles):
        M[2 * i:2 * i + 2, 2 * i:2 * i + 2] = [[math.cos(c), math.sin(c)], [-math.sin(c), math.cos(c)]]
    return M


@exercise.check(points=40, name="a step as a matrix")
def steps(student, rng):
    for k, D in ((int(rng.integers(1, 4)), 6), (-int(rng.integers(1, 4)), 4), (0, 4)):
        M = student.shift_matrix(k, D)
        expect.shape("M", M, (D, D))
        right = turned([k * 10000**(-2 * i / D) for i in range(D // 2)])
        expect.close("M", M, right, mistaken=None if k == 0 else {
            "turns the hands backwards, by -k: pe[t + k] = M @ pe[t] (is it the transpose?)": right.T,
            "turns all hands by k: hand i turns by k r[i]": turned([k] * (D // 2)),
            "is the identity: M does nothing": np.eye(D)})


exercise.mistake("degrees", old="* speeds\n", new="* speeds * np.pi / 180\n", says="degrees for radians")
exercise.mistake("i where 2 i belongs", old="-np.arange(0, D, 2) / D", new="-np.arange(D // 2) / D",
                 says="halves the exponent")
exercise.mistake("2 i twice", old="-np.arange(0, D, 2) / D", new="-2 * np.arange(0, D, 2) / D", says="doubles the exponent")
exercise.mistake("the sign of the exponent", old="(-np.arange(0, D, 2) / D)", new="(np.arange(0, D, 2) / D)",
                 says="exponent is negative")
exercise.mistake("all sines first", old="pe[:, 0::2] = np.sin(angles)\n    pe[:, 1::2] = np.cos(angles)",
                 new="pe[:, :D // 2] = np.sin(angles)\n    pe[:, D // 2:] = np.cos(angles)", says="all sines first")
exercise.mistake("sine and cosine exchanged", old="pe[:, 0::2] = np.sin(angles)\n    pe[:, 1::2] = np.cos(angles)",
                 new="pe[:, 0::2] = np.cos(angles)\n    pe[:, 1::2] = np.sin(angles)", says="sine and cosine exchanged")
exercise.mistake("positions from 1", old="np.arange(T)[:, None]", new="np.arange(1, T + 1)[:, None]",
                 says="positions from 1")
exercise.mistake("axes exchanged", old="    return pe\n", new="    return pe.T\n", says="pe has shape.*another order")
exercise.mistake("the matrix turns back", old="[[np.cos(c), np.sin(c)], [-np.sin(c), np.cos(c)]]",
                 new="[[np.cos(c), -np.sin(c)], [np.sin(c), np.cos(c)]]", says="turns the hands backwards")
exercise.mistake("every hand turns by k", old="c = k * 10000.0 ** (-2 * i / D)", new="c = k", says="turns all hands by k")
