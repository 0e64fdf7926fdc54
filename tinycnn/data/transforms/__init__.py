"""Changes of pictures, under torchvision's names: `from tinycnn.data import transforms`."""
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
