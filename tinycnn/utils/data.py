"""The data sets and the loader under PyTorch's name."""
from ..data import (ConcatDataset, DataLoader, Dataset, RandomSampler, Sampler, SequentialSampler, Subset, TensorDataset,
                    default_collate, random_split)

__all__ = ["ConcatDataset", "DataLoader", "Dataset", "RandomSampler", "Sampler", "SequentialSampler", "Subset",
           "TensorDataset", "default_collate", "random_split"]
