"""Pictures with their classes, and how they reach a network in batches."""
import sys

from ..engine.answers import answer_clearly as _answer_clearly
from . import datasets, transforms
from .cifar import CIFAR10, CIFAR100
from .collate import default_collate, default_convert
from .dataset import ChainDataset, ConcatDataset, Dataset, IterableDataset, Subset, TensorDataset, random_split
from .digits import Digits
from .folder import ImageFolder
from .loader import DataLoader, get_worker_info
from .mnist import KMNIST, MNIST, FashionMNIST
from .pictures import PictureDataset, PictureFormat
from .samplers import (BatchSampler, RandomSampler, Sampler, SequentialSampler, SubsetRandomSampler,
                       WeightedRandomSampler)
from .shapes import Shapes
from .storage import data_folder
from .transforms import RandomAffine

_answer_clearly(sys.modules[__name__], ["BatchSampler", "ChainDataset", "ConcatDataset", "DataLoader", "RandomAffine",
                                        "RandomSampler", "SequentialSampler", "Subset", "SubsetRandomSampler",
                                        "TensorDataset", "WeightedRandomSampler", "random_split"])
