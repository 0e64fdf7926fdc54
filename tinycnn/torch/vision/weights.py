"""torchvision's names for trained weights: `resnet18(weights=ResNet18_Weights.DEFAULT)`.

A member says where its file is published (`url`), and what its pictures went through (`transforms()`). The files are trained
on ImageNet by torchvision's authors; none is downloaded or comes along. Where the file has been fetched it is found, in the
folder `weights` of the data folder or where PyTorch keeps such files, and checked by the eight digits of its SHA-256 in its
name. `LeNet5_Weights.MNIST` and `CIFAR_Quick_ResNet_Small_Weights.CIFAR10` come along.
"""
import enum
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from ..data.storage import data_folder
from ..data.transforms import CenterCrop, ConvertImageDtype, InterpolationMode, Normalize, PILToTensor, Resize
from ..engine.names import did_you_mean
from ..engine.tensor import Tensor, wrap
from ..files.saving import load
from ..models import weights as along

SOURCE = "https://download.pytorch.org/models/"


class ImageClassification:
    """A picture, or a batch of them, as a network for photographs sees it: resized, its middle cut out, from 0 to 1, and
    normalised as the pictures of ImageNet."""

    def __init__(self, *, crop_size, resize_size=256, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225),
                 interpolation=InterpolationMode.BILINEAR):
        self.crop_size, self.resize_size, self.interpolation = [crop_size], [resize_size], interpolation
        self.mean, self.std = [*mean], [*std]

    def __call__(self, img):
        x = CenterCrop(self.crop_size)(Resize(self.resize_size, self.interpolation)(img))
        x = x if isinstance(x, Tensor) else PILToTensor()(x)
        return Normalize(self.mean, self.std)(ConvertImageDtype("float32")(x))

    def __repr__(self):
        return (f"ImageClassification(crop_size={self.crop_size}, resize_size={self.resize_size}, mean={self.mean}, "
                f"std={self.std}, interpolation={self.interpolation})")


@dataclass(frozen=True)
class Weights:
    """What a member of an enumeration stands for: the `model`, the `file` with its weights, and its pictures' sizes."""
    model: str
    file: str
    resize: int = 0
    crop: int = 0
    interpolation: str = "bilinear"


class WeightsEnum(enum.Enum):
    """The base of `ResNet18_Weights` and its like."""

    @property
    def model(self):
        """The name of the model whose weights these are."""
        return self.value.model

    @property
    def url(self):
        """Where the file is published."""
        return SOURCE + self.value.file

    def transforms(self):
        """A function from a picture to what the network expects."""
        w = self.value
        mode = InterpolationMode(w.interpolation)
        return ImageClassification(crop_size=w.crop, resize_size=w.resize, interpolation=mode)

    def get_state_dict(self, progress=True, check_hash=True):
        """The weights, from the file where it has been fetched.

        FileNotFoundError says where to get it; ValueError where it has another hash than its name says.
        """
        name = self.value.file
        folders = [data_folder() / "weights", *_folders_of_torch()]
        path = next((folder / name for folder in folders if (folder / name).is_file()), None)
        if path is None:
            raise FileNotFoundError(f"{self}: these weights do not come along and are not downloaded: get {self.url} and "
                                    f"put it into {folders[0]}")
        digest = re.search(r"-([0-9a-f]{8,})\.pth$", name)[1]
        if check_hash and not hashlib.sha256(path.read_bytes()).hexdigest().startswith(digest):
            raise ValueError(f"{path}: the SHA-256 does not begin with {digest}; delete the file and fetch it again")
        return load(path)


class _Along(WeightsEnum):
    """Weights that come along."""

    @property
    def url(self):
        """Where the file is."""
        return along.shipped_file(self.model, self.value.file).as_uri()

    @property
    def meta(self):
        """{"categories": the names of the classes}."""
        return {"categories": along.metadata(self.model, self.value.file)["classes"]}

    def transforms(self):
        """A function from a picture of the right size to what the network expects."""
        normalise = along.metadata(self.model, self.value.file)["format"].normalise
        return lambda img: wrap(normalise(img.array if isinstance(img, Tensor) else PILToTensor()(img).array))

    def get_state_dict(self, progress=True, check_hash=True):
        """The weights."""
        return load(along.shipped_file(self.model, self.value.file))


def _folders_of_torch():
    """Where PyTorch keeps the files that it fetched."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = Path(os.environ.get("TORCH_HOME") or Path(cache) / "torch").expanduser()
    return [home / "hub" / "checkpoints"]


# ---- the enumerations ------------------------------------------------------------------------------------------------

# class, member without IMAGENET1K_, file, size of the shorter side, side of the part that is cut out, interpolation
PUBLISHED = """
AlexNet V1 alexnet-owt-7be5be79.pth 256 224
ConvNeXt_Base V1 convnext_base-6075fbad.pth 232 224
ConvNeXt_Large V1 convnext_large-ea097f82.pth 232 224
ConvNeXt_Small V1 convnext_small-0c510722.pth 230 224
ConvNeXt_Tiny V1 convnext_tiny-983f1562.pth 236 224
DenseNet121 V1 densenet121-a639ec97.pth 256 224
DenseNet161 V1 densenet161-8d451a50.pth 256 224
DenseNet169 V1 densenet169-b2777c0a.pth 256 224
DenseNet201 V1 densenet201-c1103571.pth 256 224
EfficientNet_B0 V1 efficientnet_b0_rwightman-7f5810bc.pth 256 224 bicubic
EfficientNet_B1 V1 efficientnet_b1_rwightman-bac287d4.pth 256 240 bicubic
EfficientNet_B1 V2 efficientnet_b1-c27df63c.pth 255 240
EfficientNet_B2 V1 efficientnet_b2_rwightman-c35c1473.pth 288 288 bicubic
EfficientNet_B3 V1 efficientnet_b3_rwightman-b3899882.pth 320 300 bicubic
EfficientNet_B4 V1 efficientnet_b4_rwightman-23ab8bcd.pth 384 380 bicubic
EfficientNet_B5 V1 efficientnet_b5_lukemelas-1a07897c.pth 456 456 bicubic
EfficientNet_B6 V1 efficientnet_b6_lukemelas-24a108a5.pth 528 528 bicubic
EfficientNet_B7 V1 efficientnet_b7_lukemelas-c5b4e57e.pth 600 600 bicubic
GoogLeNet V1 googlenet-1378be20.pth 256 224
Inception_V3 V1 inception_v3_google-0cc3c7bd.pth 342 299
MNASNet0_5 V1 mnasnet0.5_top1_67.823-3ffadce67e.pth 256 224
MNASNet0_75 V1 mnasnet0_75-7090bc5f.pth 232 224
MNASNet1_0 V1 mnasnet1.0_top1_73.512-f206786ef8.pth 256 224
MNASNet1_3 V1 mnasnet1_3-a4c69d6f.pth 232 224
MobileNet_V2 V1 mobilenet_v2-b0353104.pth 256 224
MobileNet_V2 V2 mobilenet_v2-7ebf99e0.pth 232 224
RegNet_X_16GF V1 regnet_x_16gf-2007eb11.pth 256 224
RegNet_X_16GF V2 regnet_x_16gf-ba3796d7.pth 232 224
RegNet_X_1_6GF V1 regnet_x_1_6gf-e3633e7f.pth 256 224
RegNet_X_1_6GF V2 regnet_x_1_6gf-a12f2b72.pth 232 224
RegNet_X_32GF V1 regnet_x_32gf-9d47f8d0.pth 256 224
RegNet_X_32GF V2 regnet_x_32gf-6eb8fdc6.pth 232 224
RegNet_X_3_2GF V1 regnet_x_3_2gf-f342aeae.pth 256 224
RegNet_X_3_2GF V2 regnet_x_3_2gf-7071aa85.pth 232 224
RegNet_X_400MF V1 regnet_x_400mf-adf1edd5.pth 256 224
RegNet_X_400MF V2 regnet_x_400mf-62229a5f.pth 232 224
RegNet_X_800MF V1 regnet_x_800mf-ad17e45c.pth 256 224
RegNet_X_800MF V2 regnet_x_800mf-94a99ebd.pth 232 224
RegNet_X_8GF V1 regnet_x_8gf-03ceed89.pth 256 224
RegNet_X_8GF V2 regnet_x_8gf-2b70d774.pth 232 224
RegNet_Y_128GF SWAG_E2E_V1 regnet_y_128gf_swag-c8ce3e52.pth 384 384 bicubic
RegNet_Y_128GF SWAG_LINEAR_V1 regnet_y_128gf_lc_swag-cbe8ce12.pth 224 224 bicubic
RegNet_Y_16GF V1 regnet_y_16gf-9e6ed7dd.pth 256 224
RegNet_Y_16GF V2 regnet_y_16gf-3e4a00f9.pth 232 224
RegNet_Y_16GF SWAG_E2E_V1 regnet_y_16gf_swag-43afe44d.pth 384 384 bicubic
RegNet_Y_16GF SWAG_LINEAR_V1 regnet_y_16gf_lc_swag-f3ec0043.pth 224 224 bicubic
RegNet_Y_1_6GF V1 regnet_y_1_6gf-b11a554e.pth 256 224
RegNet_Y_1_6GF V2 regnet_y_1_6gf-0d7bc02a.pth 232 224
RegNet_Y_32GF V1 regnet_y_32gf-4dee3f7a.pth 256 224
RegNet_Y_32GF V2 regnet_y_32gf-8db6d4b5.pth 232 224
RegNet_Y_32GF SWAG_E2E_V1 regnet_y_32gf_swag-04fdfa75.pth 384 384 bicubic
RegNet_Y_32GF SWAG_LINEAR_V1 regnet_y_32gf_lc_swag-e1583746.pth 224 224 bicubic
RegNet_Y_3_2GF V1 regnet_y_3_2gf-b5a9779c.pth 256 224
RegNet_Y_3_2GF V2 regnet_y_3_2gf-9180c971.pth 232 224
RegNet_Y_400MF V1 regnet_y_400mf-c65dace8.pth 256 224
RegNet_Y_400MF V2 regnet_y_400mf-e6988f5f.pth 232 224
RegNet_Y_800MF V1 regnet_y_800mf-1b27b58c.pth 256 224
RegNet_Y_800MF V2 regnet_y_800mf-58fc7688.pth 232 224
RegNet_Y_8GF V1 regnet_y_8gf-d0d0e4a8.pth 256 224
RegNet_Y_8GF V2 regnet_y_8gf-dc2b1b54.pth 232 224
ResNet101 V1 resnet101-63fe2227.pth 256 224
ResNet101 V2 resnet101-cd907fc2.pth 232 224
ResNet152 V1 resnet152-394f9c45.pth 256 224
ResNet152 V2 resnet152-f82ba261.pth 232 224
ResNet18 V1 resnet18-f37072fd.pth 256 224
ResNet34 V1 resnet34-b627a593.pth 256 224
ResNet50 V1 resnet50-0676ba61.pth 256 224
ResNet50 V2 resnet50-11ad3fa6.pth 232 224
ResNeXt101_32X8D V1 resnext101_32x8d-8ba56ff5.pth 256 224
ResNeXt101_32X8D V2 resnext101_32x8d-110c445d.pth 232 224
ResNeXt101_64X4D V1 resnext101_64x4d-173b62eb.pth 232 224
ResNeXt50_32X4D V1 resnext50_32x4d-7cdf4587.pth 256 224
ResNeXt50_32X4D V2 resnext50_32x4d-1a0047aa.pth 232 224
ShuffleNet_V2_X0_5 V1 shufflenetv2_x0.5-f707e7126e.pth 256 224
ShuffleNet_V2_X1_0 V1 shufflenetv2_x1-5666bf0f80.pth 256 224
ShuffleNet_V2_X1_5 V1 shufflenetv2_x1_5-3c479a10.pth 232 224
ShuffleNet_V2_X2_0 V1 shufflenetv2_x2_0-8be3c8ee.pth 232 224
SqueezeNet1_0 V1 squeezenet1_0-b66bff10.pth 256 224
SqueezeNet1_1 V1 squeezenet1_1-b8a52dc0.pth 256 224
Swin_B V1 swin_b-68c6b09e.pth 238 224 bicubic
Swin_S V1 swin_s-5e29d889.pth 246 224 bicubic
Swin_T V1 swin_t-704ceda3.pth 232 224 bicubic
VGG11 V1 vgg11-8a719046.pth 256 224
VGG11_BN V1 vgg11_bn-6002323d.pth 256 224
VGG13 V1 vgg13-19584684.pth 256 224
VGG13_BN V1 vgg13_bn-abd245e5.pth 256 224
VGG16 V1 vgg16-397923af.pth 256 224
VGG16_BN V1 vgg16_bn-6c64b313.pth 256 224
VGG19 V1 vgg19-dcbb9e9d.pth 256 224
VGG19_BN V1 vgg19_bn-c79401a0.pth 256 224
ViT_B_16 V1 vit_b_16-c867db91.pth 256 224
ViT_B_16 SWAG_E2E_V1 vit_b_16_swag-9ac1b537.pth 384 384 bicubic
ViT_B_16 SWAG_LINEAR_V1 vit_b_16_lc_swag-4e70ced5.pth 224 224 bicubic
ViT_B_32 V1 vit_b_32-d86f8d99.pth 256 224
ViT_H_14 SWAG_E2E_V1 vit_h_14_swag-80465313.pth 518 518 bicubic
ViT_H_14 SWAG_LINEAR_V1 vit_h_14_lc_swag-c1eb923e.pth 224 224 bicubic
ViT_L_16 V1 vit_l_16-852ce7e3.pth 242 224
ViT_L_16 SWAG_E2E_V1 vit_l_16_swag-4f3808c9.pth 512 512 bicubic
ViT_L_16 SWAG_LINEAR_V1 vit_l_16_lc_swag-4d563306.pth 224 224 bicubic
ViT_L_32 V1 vit_l_32-c7638314.pth 256 224
Wide_ResNet101_2 V1 wide_resnet101_2-32ee1156.pth 256 224
Wide_ResNet101_2 V2 wide_resnet101_2-d733dc28.pth 232 224
Wide_ResNet50_2 V1 wide_resnet50_2-95faca4d.pth 256 224
Wide_ResNet50_2 V2 wide_resnet50_2-9ba9bcbe.pth 232 224
"""


def _enumerations():
    """{name: enumeration} of all weights."""
    members = {}
    for name, member, file, resize, crop, *mode in map(str.split, PUBLISHED.strip().splitlines()):
        weights = Weights(name.lower(), file, int(resize), int(crop), *mode)
        members.setdefault(f"{name}_Weights", {})[f"IMAGENET1K_{member}"] = weights
    kinds = {}
    for name, each in members.items():
        default = each.get("IMAGENET1K_V2") or next(iter(each.values()))
        kinds[name] = WeightsEnum(name, {**each, "DEFAULT": default}, module=__name__)
    for name, member, model in (("LeNet5", "MNIST", "lenet5"),
                                ("CIFAR_Quick_ResNet_Small", "CIFAR10", "cifar_quick_resnet_small")):
        weights = Weights(model, member.lower())
        kinds[f"{name}_Weights"] = _Along(f"{name}_Weights", {member: weights, "DEFAULT": weights}, module=__name__)
    return kinds


ENUMERATIONS = _enumerations()
globals().update(ENUMERATIONS)


def get_model_weights(name):
    """The enumeration of the weights of a model, which is named or given as the function that builds it; ValueError where
    none are known.
    """
    name = getattr(name, "__name__", name)
    for kind in ENUMERATIONS.values():
        if kind.DEFAULT.model == name:
            return kind
    raise ValueError(f"get_model_weights: no weights are published for {name!r}"
                     f"{did_you_mean(name, [kind.DEFAULT.model for kind in ENUMERATIONS.values()])}")


def get_weight(name):
    """The member called `name`, such as "ResNet50_Weights.IMAGENET1K_V2"; ValueError where there is none."""
    kind, _, member = str(name).partition(".")
    if member not in getattr(ENUMERATIONS.get(kind), "__members__", ()):
        raise ValueError(f"get_weight: there are no weights {name!r}{did_you_mean(kind, ENUMERATIONS)}")
    return ENUMERATIONS[kind][member]


__all__ = [*ENUMERATIONS, "ENUMERATIONS", "Weights", "ImageClassification", "WeightsEnum", "get_model_weights", "get_weight"]
