"""Architectures, one family a file."""
from .lenet import LeNet5, LeNet5Original, lenet5
from .registry import get_model, list_models, register_model
