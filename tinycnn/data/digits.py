"""1,797 handwritten digits of 8x8 pixels that come with the package."""
from importlib import resources

import numpy as np

from .pictures import PictureDataset, PictureFormat

SPLITS = {"train": (0, 1, 2, 3, 4, 5, 6), "validation": (7,), "test": (8, 9)}


class Digits(PictureDataset):
    """Handwritten digits, 8x8 pixels of 0 (paper) to 16 (ink): real pictures that need no download.

    The test part of the "Optical Recognition of Handwritten Digits" data set (E. Alpaydin and C. Kaynak, UCI Machine
    Learning Repository, 1998, doi 10.24432/C50P49, CC BY 4.0): forms filled in by 13 people, scanned, and counted down from
    32x32 black and white points to 8x8 sums.

    `split` is "train", "validation", "test" (1,266, 178 and 353 pictures), or "all". The rule: number the pictures of each
    class from 0 in the order of the original file; the last decimal of that number is 0 to 6 in the training part, 7 in the
    validation part, 8 or 9 in the test part. So every part has the same share of every class and of every writer.
    """
    FORMAT = PictureFormat(size=(8, 8), channels=1, scale=16.0, mean=(0.305,), std=(0.376,), box=8, centre="box", ink=0.305)

    def __init__(self, split="train", transform=None, target_transform=None):
        if split != "all" and split not in SPLITS:
            raise ValueError(f"Digits: split must be one of {', '.join(SPLITS)} or all, got {split!r}")
        with resources.files(__package__).joinpath("files", "digits.npz").open("rb") as file:
            stored = np.load(file, allow_pickle=False)
            pictures, labels = stored["pictures"], stored["labels"].astype(np.int64)
        chosen = np.full(len(labels), True) if split == "all" else np.isin(_rank(labels) % 10, SPLITS[split])
        super().__init__(pictures[chosen, None], labels[chosen], map(str, range(10)), self.FORMAT, transform,
                         target_transform)


def _rank(labels):
    """How many earlier entries of `labels` have the same value."""
    rank = np.empty_like(labels)
    for value in np.unique(labels):
        where = np.flatnonzero(labels == value)
        rank[where] = np.arange(len(where))
    return rank
