"""Pictures with their classes, and how they reach a network in batches."""
from .dataset import ConcatDataset, Dataset, Subset, TensorDataset, default_collate, random_split
from .digits import Digits
from .loader import DataLoader, RandomSampler, Sampler, SequentialSampler
from .mnist import MNIST
from .pictures import PictureDataset, PictureFormat
from .storage import data_folder
from .transforms import RandomAffine
