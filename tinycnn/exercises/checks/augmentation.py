"""Checks of augmentation."""
import numpy as np

from .. import expect
from ..exercise import Exercise

exercise = Exercise(
    title="Augmentation: flip, crop and cut out", lecture=8, minutes=30,
    hints=("The axes are (N, C, H, W): left and right is the last one, rows are axis 2. Begin each function with an array "
           "of its own, x.copy() or np.empty_like(x).",
           "y[which] = x[which][..., ::-1] flips some pictures. For the crop pad the whole batch once, only axes 2 and 3, "
           "and let a loop over n cut padded[n, :, row:row + H, column:column + W].",
           "cutout: top = row - size // 2 may be negative, and y[-1:3] is empty: slice from max(top, 0) to top + size. An "
           "end beyond the picture does no harm. The same with the columns."))


def flip(x, which):
    """The oracle, pixel after pixel."""
    y = np.zeros_like(x)
    for n, c, i, j in np.ndindex(*x.shape):
        y[n, c, i, j] = x[n, c, i, x.shape[3] - 1 - j] if which[n] else x[n, c, i, j]
    return y


def random_crop(x, offsets, padding, sign=1, wrap=False):
    """The oracle; `sign` and `wrap` for what goes wrong."""
    y = np.zeros_like(x)
    H, W = x.shape[2:]
    for n, c, i, j in np.ndindex(*x.shape):
        k, l = i + sign * (offsets[n][0] - padding), j + sign * (offsets[n][1] - padding)
        if wrap:
            k, l = k % H, l % W
        if 0 <= k < H and 0 <= l < W:
            y[n, c, i, j] = x[n, c, k, l]
    return y


def cutout(x, centres, size):
    """The oracle."""
    y = x.copy()
    for n, c, i, j in np.ndindex(*x.shape):
        k, l = i - centres[n][0] + size // 2, j - centres[n][1] + size // 2
        if 0 <= k < size and 0 <= l < size:
            y[n, c, i, j] = 0
    return y


def cut(x, centres, size, channels=slice(None), wrap=False, shift=0):
    """Cut out with slices: of some channels only, shifted, or with starts that may be negative (`wrap`)."""
    y = x.copy()
    for n, (row, column) in enumerate(centres):
        top, left = row - size // 2 + shift, column - size // 2 + shift
        rows, columns = (slice(a if wrap else max(a, 0), a + size) for a in (top, left))
        y[n, channels, rows, columns] = 0
    return y


def pictures(rng, H=5, W=5, N=4):
    """A batch without a zero."""
    return 1 + rng.random((N, 3, H, W))


@exercise.check(points=25, name="flip")
def flips(student, rng):
    for size in ((4, 4), (2, 5)):
        x = pictures(rng, *size)
        which = rng.permutation([True, True, False, False])
        chosen = which[:, None, None, None]
        expect.close("y of flip", expect.unchanged(student.flip, x, which), flip(x, which), mistaken={
            "is turned upside down: left and right is the last axis": np.where(chosen, x[:, :, ::-1], x),
            "is turned by half a turn: only left and right change": np.where(chosen, x[:, :, ::-1, ::-1], x),
            "has the wrong pictures flipped: flip where which is True": flip(x, ~which),
            "has every picture flipped: flip only where which is True": x[:, :, :, ::-1],
            "is as it was": x,
            "has its channels in reverse order": np.where(chosen, x[:, ::-1], x),
            "has its pictures in another order": np.concatenate([x[which], x[~which]])})


@exercise.check(points=35, name="random crop")
def crops(student, rng):
    for padding, size in ((2, (5, 5)), (1, (5, 6))):
        x = pictures(rng, *size)
        offsets = np.array([[0, 2 * padding], *rng.integers(0, 2 * padding + 1, (2, 2)), [2 * padding, padding]])
        y = expect.unchanged(student.random_crop, x, offsets, padding)
        expect.close("y of random_crop", y, random_crop(x, offsets, padding), mistaken={
            "exchanges rows and columns of the offsets: offsets[n] = (row, column)":
                random_crop(x, offsets[:, ::-1], padding),
            "is moved to the opposite side: the window lies at the offset, so a small row shows the frame above":
                random_crop(x, offsets, padding, sign=-1),
            "has the offset of the first picture everywhere: every picture has its own":
                random_crop(x, 0 * offsets + offsets[:1], padding),
            "has the offset of the last picture everywhere: every picture has its own":
                random_crop(x, 0 * offsets + offsets[-1:], padding),
            "lets in at one side what it pushes out at the other: the frame is of zeros":
                random_crop(x, offsets, padding, wrap=True),
            "has the frame on the lower right only: pad all four sides": random_crop(x, offsets + padding, padding),
            "adds padding to the offsets: they count from the corner of the padded picture":
                random_crop(x, offsets + padding, padding)})
        expect.close("y of random_crop at (padding, padding)",
                     student.random_crop(x, 0 * offsets + padding, padding), x)


@exercise.check(points=30, name="cutout")
def cutouts(student, rng):
    for size, inner in ((3, True), (2, True), (3, False), (4, False)):
        x = pictures(rng, 6, 7)
        centres = np.array([[2, 3], [3, 3], [2, 4], [3, 2]] if inner else [[0, 3], [5, 6], [2, 0], [0, 0]])
        y = student.cutout(x, centres, size)
        expect.close("y of cutout", y, cutout(x, centres, size), mistaken={
            "has no hole where its square begins beyond the edge: a negative start counts from the end, use max(start, 0)":
                None if inner else cut(x, centres, size, wrap=True),
            "is cut out in the first channel only: the hole goes through all of them": cut(x, centres, size, slice(1)),
            "exchanges rows and columns of the centres": cutout(x, centres[:, ::-1], size),
            "has the corner of the square at the centre: the square begins size // 2 before":
                cut(x, centres, size, shift=size // 2),
            "has a square one pixel too large": cutout(x, centres, size + 1) if size % 2 else None,
            "has the same square in every picture, the first: each has its own": cutout(x, 0 * centres + centres[:1], size),
            "has the same square in every picture, the last: each has its own":
                cutout(x, 0 * centres + centres[-1:], size),
            "keeps the square and loses the rest": np.where(cutout(x, centres, size) == 0, x, 0)})
        expect.unchanged(student.cutout, x, centres, size)


@exercise.check(points=10, name="the dtype stays as it was")
def contract(student, rng):
    x = (100 * pictures(rng)).astype(np.uint8)
    for name, y in (("flip", student.flip(x, np.array([True, False, False, True]))),
                    ("random_crop", student.random_crop(x, np.ones((4, 2), int), 1)),
                    ("cutout", student.cutout(x, np.ones((4, 2), int), 3))):
        expect.dtype(f"what {name} returns", y, np.uint8)
    x = pictures(rng)
    expect.in_float32(student.flip, x, np.array([True, False, False, True]))
    expect.in_float32(student.random_crop, x, np.ones((4, 2), int), 1)
    expect.in_float32(student.cutout, x, np.ones((4, 2), int), 3)


exercise.mistake("upside down", old="x[which][:, :, :, ::-1]", new="x[which][:, :, ::-1]", says="upside down")
exercise.mistake("all pictures are flipped", old="y[which] = x[which][:, :, :, ::-1]", new="y = x[:, :, :, ::-1]",
                 says="every picture flipped")
exercise.mistake("flip writes into the batch", old="    y = x.copy()\n    y[which] = x[which]",
                 new="    y = x\n    y[which] = x[which]", says="flip changes its argument x")
exercise.mistake("rows and columns of the offsets", old="(row, column) in enumerate(offsets)",
                 new="(column, row) in enumerate(offsets)", says="exchanges rows and columns")
exercise.mistake("one offset for all", old="y[n] = padded[n, :, row:row + H, column:column + W]",
                 new="y[:] = padded[:, :, row:row + H, column:column + W]", says="offset of the last picture everywhere")
exercise.mistake("the frame goes the other way", old="y[n] = padded[n, :, row:row + H, column:column + W]",
                 new="row, column = 2 * padding - row, 2 * padding - column\n"
                 "        y[n] = padded[n, :, row:row + H, column:column + W]", says="opposite side")
exercise.mistake("rolled in place of padded", old="y[n] = padded[n, :, row:row + H, column:column + W]",
                 new="y[n] = np.roll(x[n], (padding - row, padding - column), (1, 2))", says="pushes out at the other")
exercise.mistake("the hole starts beyond the edge", old="max(top, 0):top + size, max(left, 0):left + size",
                 new="top:top + size, left:left + size", says="a negative start counts from the end")
exercise.mistake("the corner at the centre", old="top, left = row - size // 2, column - size // 2",
                 new="top, left = row, column", says="corner of the square at the centre")
exercise.mistake("a hole in one channel", old="y[n, :, max", new="y[n, 0, max", says="first channel only")
exercise.mistake("cutout writes into the batch", old="    y = x.copy()\n    for n, (row, column) in enumerate(centres)",
                 new="    y = x\n    for n, (row, column) in enumerate(centres)", says="cutout changes its argument x")
exercise.mistake("cutout makes float64", old="    y = x.copy()\n    for n, (row, column) in enumerate(centres)",
                 new="    y = x.astype(float)\n    for n, (row, column) in enumerate(centres)",
                 says="cutout returns is float64")
