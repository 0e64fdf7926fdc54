"""Floor 4: architectures, one family a file; each file names its paper and the idea that a lecture would take from it."""
from .alexnet import AlexNet, AlexNet2012, alexnet, alexnet_2012
from .cifar_resnet import (CifarResNet, cifar_plain20, cifar_plain34, cifar_plain56, cifar_preact_resnet110,
                           cifar_preact_resnet164, cifar_resnet18, cifar_resnet20, cifar_resnet32, cifar_resnet34,
                           cifar_resnet44, cifar_resnet50, cifar_resnet56, cifar_resnet110, resnext29_8x64d,
                           resnext29_16x64d, wrn16_4, wrn28_10, wrn40_4)
from .densenet import DenseNet, cifar_densenet100, densenet121, densenet161, densenet169, densenet201
from .googlenet import GoogLeNet, GoogLeNetOutputs, googlenet
from .inception_v3 import Inception3, InceptionOutputs, inception_v3
from .lenet import LeNet5, LeNet5Original, lenet5, lenet5_original
from .preact_resnet import (PreActResNet, preact_resnet18, preact_resnet34, preact_resnet50, preact_resnet101,
                            preact_resnet200)
from .registry import get_model, list_models, register_model
from .resnet import (ResNet, plain18, plain34, resnet18, resnet34, resnet50, resnet101, resnet152, resnext50_32x4d,
                     resnext101_32x8d, resnext101_64x4d, wide_resnet50_2, wide_resnet101_2)
from .squeezenet import SqueezeNet, squeezenet1_0, squeezenet1_1
from .vgg import (VGG, vgg11, vgg11_bn, vgg11_lrn, vgg13, vgg13_bn, vgg16, vgg16_1x1, vgg16_bn, vgg19, vgg19_bn)
