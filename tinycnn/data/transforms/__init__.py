"""Changes of pictures, under torchvision's names: `from tinycnn.data import transforms`."""
import sys

from ...engine.answers import answer_clearly as _answer_clearly
from .affine import RandomAffine, RandomPerspective, RandomRotation
from .auto import AugMix, AutoAugment, RandAugment, TrivialAugmentWide
from .base import InterpolationMode, Transform
from .colour import (ColorJitter, Grayscale, RandomAdjustSharpness, RandomAutocontrast, RandomEqualize, RandomGrayscale,
                     RandomInvert, RandomPosterize, RandomSolarize)
from .compose import Compose, Lambda, RandomApply, RandomChoice, RandomOrder
from .convert import ConvertImageDtype, Normalize, PILToTensor, ToPILImage, ToTensor
from .crop import CenterCrop, FiveCrop, Pad, RandomCrop, RandomHorizontalFlip, RandomVerticalFlip, TenCrop
from .mix import CutMix, MixUp
from .noise import GaussianBlur, GaussianNoise, RandomErasing, SaltAndPepperNoise
from .policies import AutoAugmentPolicy
from .resize import RandomResizedCrop, Resize

_with_functions = {"Compose", "Lambda", "RandomApply", "RandomChoice", "RandomOrder", "Transform", "InterpolationMode",
                   "AutoAugmentPolicy"}
_transforms = {name for name, kind in globals().items() if isinstance(kind, type)} - _with_functions
_answer_clearly(sys.modules[__name__], _transforms, ("__init__", "__call__"))
_answer_clearly(sys.modules[__name__], ["Compose", "Lambda", "RandomApply", "RandomChoice", "RandomOrder"])
