"""torchvision's places: `import tinycnn.vision as torchvision`, or `from tinycnn.vision import datasets, transforms`."""
from . import datasets, models, transforms, utils

__all__ = ["datasets", "models", "transforms", "utils"]
