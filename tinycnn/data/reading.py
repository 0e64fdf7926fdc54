"""A user's own picture of one drawn or written sign, made to look like the pictures that a network was trained on."""
import numpy as np

from .folder import fitted, load_picture


def read_picture(path, format):
    """The pixels (C, H, W), float32 from 0 (paper) to `format.scale` (ink), of a picture file.

    For signs: the picture may have any size, be coloured or grey, dark on light or light on dark; ink is what differs from
    the border. The ink is cut out, brought to `format.box` pixels and put into the middle as the format asks, which is how
    the makers of MNIST and of the UCI digits treated their scans. A format without a box is that of photographs: the middle
    of the picture is cut to its shape and resized, and nothing else is done to it.
    Raises FileNotFoundError, or ValueError for a file that is no picture and for a picture that shows nothing.
    """
    from PIL import Image
    picture = load_picture(path, "RGBA")
    if format.box is None:
        pixels = fitted(picture.convert("RGB" if format.channels == 3 else "L"), format.size)
        return pixels.astype(np.float32) * np.float32(format.scale / 255)
    if max(picture.size) > 800:
        picture.thumbnail((800, 800))
    for paper in ("white", "black"):  # what is transparent is white, unless the ink is
        laid = Image.alpha_composite(Image.new("RGBA", picture.size, paper), picture)
        ink, most = _ink(np.asarray(laid.convert("RGB"), np.float32))
        if ink is not None:
            break
    else:
        raise ValueError(f"{path}: the picture shows nothing: no pixel differs from the border by more than {most:.0f} of "
                         "255")
    ink = _place(_thicken(_crop(ink), format), format)
    return np.repeat(ink[None] * np.float32(format.scale), format.channels, 0)


def _ink(colours):
    """(how far each pixel of a picture (H, W, 3) is from the border, 0 to 1, None where it shows nothing; the most)."""
    border = np.concatenate([colours[0], colours[-1], colours[:, 0], colours[:, -1]])
    distance = np.abs(colours - np.median(border, 0)).max(2)
    full = np.percentile(distance[distance > distance.max() / 2], 75) if distance.max() > 0 else 0
    return None if full < 12 else ((distance / full - 0.2) / 0.7).clip(0, 1), distance.max()


def _crop(ink):
    """The smallest rectangle with all the ink."""
    rows, columns = (np.flatnonzero((ink > 0.5).any(axis)) for axis in (1, 0))
    return ink[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]


def _thicken(ink, format):
    """The ink with its strokes widened, a pixel at a time, until they are as wide as the format's."""
    height, width = ink.shape
    scale = 100 / max(height, width)
    if scale > 1:  # finer steps for small pictures
        ink = _resize(ink, round(height * scale), max(1, round(width * scale)))
    while _is_thin(ink, format):
        ink = np.pad(ink, 2)
        ink = np.maximum.reduce([ink[:-2], ink[1:-1], ink[2:]])
        ink = np.maximum.reduce([ink[:, :-2], ink[:, 1:-1], ink[:, 2:]])
    return ink


def _is_thin(ink, format):
    """Whether strokes are below a ninth of the side or, where the format says, the ink below its share of the picture.

    A pen line of length l and width w has the area l w and the outline 2 l, so w is twice their ratio; pi / 4 turns the
    steps between pixels into the length of an outline in any direction.
    """
    side, area = max(ink.shape), ink.sum()
    if format.ink is not None:
        return area < format.ink * format.size[0] * format.size[1] * (side / format.box) ** 2
    framed = np.pad(ink, 1)
    outline = (np.abs(np.diff(framed, axis=0)).sum() + np.abs(np.diff(framed, axis=1)).sum()) * np.pi / 4
    return 2 * area / outline < side / 9


def _place(ink, format):
    """The cropped ink, scaled to the box of the format and put into a picture of its size."""
    height, width = ink.shape
    scale = format.box / max(height, width)
    small = _resize(ink, max(1, round(height * scale)), max(1, round(width * scale)))
    small = small / max(small.max(), 1e-6)
    canvas = np.zeros(format.size, np.float32)
    starts = []
    for axis, (room, used) in enumerate(zip(canvas.shape, small.shape)):
        middle = (used - 1) / 2
        if format.centre == "mass":
            middle = (small.sum(1 - axis) * np.arange(used)).sum() / small.sum()
        starts.append(int(np.clip(round((room - 1) / 2 - middle), 0, room - used)))
    canvas[starts[0]:starts[0] + small.shape[0], starts[1]:starts[1] + small.shape[1]] = small
    return canvas


def _resize(ink, height, width):
    from PIL import Image
    picture = Image.fromarray(ink.astype(np.float32), mode="F")
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR), np.float32)
