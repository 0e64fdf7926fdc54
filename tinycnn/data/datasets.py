"""The data sets where torchvision has them: `from tinycnn.data import datasets, transforms`."""
from .cifar import CIFAR10, CIFAR100
from .digits import Digits
from .folder import ImageFolder
from .mnist import KMNIST, MNIST, FashionMNIST
from .shapes import Shapes

__all__ = ["CIFAR10", "CIFAR100", "Digits", "FashionMNIST", "ImageFolder", "KMNIST", "MNIST", "Shapes"]
