"""torchvision's places: `import tinycnn.vision as torchvision`, or `from tinycnn.vision import datasets, transforms`."""
from . import datasets, io, models, ops, transforms, utils

__all__ = ["datasets", "io", "models", "ops", "transforms", "utils"]
