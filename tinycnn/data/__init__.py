"""Pictures with their classes, and how they reach a network in batches."""
from .collate import default_collate, default_convert
from .dataset import ChainDataset, ConcatDataset, Dataset, IterableDataset, Subset, TensorDataset, random_split
from .digits import Digits
from .loader import DataLoader, get_worker_info
from .mnist import MNIST
from .pictures import PictureDataset, PictureFormat
from .samplers import (BatchSampler, RandomSampler, Sampler, SequentialSampler, SubsetRandomSampler,
                       WeightedRandomSampler)
from .storage import data_folder
from . import transforms
from .transforms import RandomAffine
