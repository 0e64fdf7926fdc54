"""What is measured, a line each."""
from dataclasses import dataclass
from typing import Callable

from . import nets
from .nets import zoo


@dataclass(frozen=True)
class Workload:
    """A step of `net(t)` on random pictures (N, C, H, W) of `classes` kinds; `target` is the ratio to PyTorch wanted.

    A step is forward, cross-entropy, backward and SGD with momentum; without `training` it is forward in evaluation mode.
    """
    name: str
    net: Callable
    input: tuple
    classes: int
    target: float
    training: bool = True


@dataclass(frozen=True)
class Operation:
    """One call `call(t, *tensors)`, forward and backward, on normal numbers of `shapes`."""
    name: str
    call: Callable
    shapes: tuple


WORKLOADS = [
    Workload("MNIST net", nets.mnist_net, (128, 1, 28, 28), 10, 0.8),
    Workload("LeNet-5", nets.lenet5, (64, 1, 28, 28), 10, 0.8),
    Workload("shapes net", nets.shapes_net, (30, 3, 128, 128), 3, 0.5),
    Workload("VGG-16", nets.vgg16, (32, 3, 32, 32), 10, 0.75),
    Workload("ResNet-18", zoo("cifar_resnet", "cifar_resnet18"), (32, 3, 32, 32), 10, 0.75),
    Workload("ResNet-50", zoo("resnet", "resnet50"), (4, 3, 224, 224), 1000, 0.9),
    Workload("DenseNet-40", zoo("densenet", "small_densenet", 12, 6), (32, 3, 32, 32), 10, 0.9),
    Workload("MobileNet v1", zoo("mobilenet_v1", "mobilenet_v1", num_classes=10), (32, 3, 32, 32), 10, 0.75),
    Workload("ResNeXt-29", zoo("cifar_resnet", "resnext29_8x64d"), (8, 3, 32, 32), 10, 0.9),
    Workload("ViT-Tiny", zoo("vit", "VisionTransformer", 32, 4, 12, 3, 192, 768, num_classes=10), (32, 3, 32, 32), 10, 1.1),
    Workload("U-Net", zoo("unet", "unet_padded", in_channels=3, width=32), (8, 3, 64, 64), 2, 0.9),
    Workload("ResNet-18, inference", zoo("resnet", "resnet18"), (1, 3, 224, 224), 1000, 1.0, training=False),
    Workload("MobileNet v2, inference", zoo("mobilenet_v2", "mobilenet_v2"), (1, 3, 224, 224), 1000, 1.0, training=False),
]


def find(name):
    """The workload of that name."""
    return next(w for w in WORKLOADS if w.name == name)


def functions(name, **options):
    """The call `nn.functional.NAME(*tensors, **options)`."""
    return lambda t, *tensors: getattr(t.nn.functional, name)(*tensors, **options)


def convolution(name, x, w, **options):
    """A convolution without bias."""
    return Operation(name, functions("conv2d", **options), (x, w))


def batch_norm(t, x, w, b):
    """Batch norm in training, without running statistics."""
    return t.nn.functional.batch_norm(x, None, None, w, b, training=True)


OPERATIONS = [
    convolution("conv 5x5, 1 to 16 at 28", (128, 1, 28, 28), (16, 1, 5, 5), padding=2),
    convolution("conv 5x5, 16 to 32 at 14", (128, 16, 14, 14), (32, 16, 5, 5), padding=2),
    convolution("conv 3x3, 64 at 32", (32, 64, 32, 32), (64, 64, 3, 3), padding=1),
    convolution("conv 3x3, 256 at 8", (32, 256, 8, 8), (256, 256, 3, 3), padding=1),
    convolution("conv 3x3, 512 at 4", (32, 512, 4, 4), (512, 512, 3, 3), padding=1),
    convolution("conv 3x3, 64 to 128, stride 2", (32, 64, 32, 32), (128, 64, 3, 3), padding=1, stride=2),
    convolution("conv 1x1, 64 to 256 at 56", (4, 64, 56, 56), (256, 64, 1, 1)),
    convolution("conv 7x7, stride 2 at 224", (4, 3, 224, 224), (64, 3, 7, 7), padding=3, stride=2),
    convolution("depthwise 3x3, 128 at 28", (16, 128, 28, 28), (128, 1, 3, 3), padding=1, groups=128),
    convolution("32 groups 3x3, 256 at 14", (16, 256, 14, 14), (256, 8, 3, 3), padding=1, groups=32),
    Operation("transposed conv 2x2, stride 2", functions("conv_transpose2d", stride=2), ((8, 128, 16, 16), (128, 64, 2, 2))),
    Operation("max-pool 2x2", functions("max_pool2d", kernel_size=2), ((128, 16, 28, 28),)),
    Operation("max-pool 3x3, stride 2", functions("max_pool2d", kernel_size=3, stride=2, padding=1), ((4, 64, 112, 112),)),
    Operation("batch norm", batch_norm, ((32, 64, 32, 32), (64,), (64,))),
    Operation("layer norm", functions("layer_norm", normalized_shape=(192,)), ((32, 65, 192),)),
    Operation("ReLU", functions("relu"), ((32, 64, 32, 32),)),
    Operation("GELU", functions("gelu"), ((32, 65, 768),)),
    Operation("add", lambda t, x, y: x + y, ((32, 64, 32, 32), (32, 64, 32, 32))),
    Operation("dropout", functions("dropout", p=0.5), ((128, 4096),)),
    Operation("linear 4096", functions("linear"), ((64, 4096), (1024, 4096))),
    Operation("attention", functions("scaled_dot_product_attention"), ((32, 3, 65, 64),) * 3),
    Operation("softmax of 1000", functions("softmax", dim=1), ((128, 1000),)),
]
