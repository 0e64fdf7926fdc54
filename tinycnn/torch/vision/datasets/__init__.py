"""The data sets of `tinycnn.data`, where a sample without transform is a Pillow picture, as torchvision gives it; and more.

The rest are readers of the files that their makers publish. `root` is the folder where they lie, by default the data
folder; with `download=True` missing ones are fetched, if their hash is known, and an archive is unpacked where it lies.
"""
from ...data import datasets as own
from ...data.collate import default_collate
from ...data.dataset import check_index, fetch_each
from ...data.datasets import *  # noqa: F401, F403
from ...data.pictures import PictureDataset
from ...data.transforms.base import as_picture
from .arrays import EMNIST, QMNIST, STL10, SVHN, FakeData
from .photographs import Caltech101, CelebA, Flowers102, Food101, ImageNet, OxfordIIITPet, VOCSegmentation

_OTHERS = (Caltech101, CelebA, EMNIST, FakeData, Flowers102, Food101, ImageNet, OxfordIIITPet, QMNIST, STL10, SVHN,
           VOCSegmentation)
__all__ = [*own.__all__, *(kind.__name__ for kind in _OTHERS)]


class _AsPicture:
    """What these data sets do otherwise than their bases, which normalise a picture that nobody transforms."""

    def __getitem__(self, index):
        if self.transform is not None:
            return super().__getitem__(index)
        i = check_index(self, index)
        x, y = as_picture(self._bytes(self._pixels([i])[0])), int(self.targets[i])
        return x, y if self.target_transform is None else self.target_transform(y)

    def batch(self, indices):
        """As its base with a transform; TypeError without, as pictures make no batch."""
        return default_collate(fetch_each(self, indices.tolist())) if self.transform is None else super().batch(indices)


for _name in own.__all__:
    _base = getattr(own, _name)
    if issubclass(_base, PictureDataset):
        _words = {"__doc__": f"{_base.__doc__}\n    Without a transform a sample is (Pillow picture, label).\n    ",
                  "__module__": __name__}
        globals()[_name] = type(_name, (_AsPicture, _base), _words)
