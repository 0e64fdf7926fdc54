"""Architectures, one family a file; each file names its paper and the idea that a lecture would take from it."""
from .alexnet import AlexNet, AlexNet2012, alexnet, alexnet_2012
from .attention_resnet import (CBAM, cbam_resnet18, cbam_resnet34, cbam_resnet50, cbam_resnet101, se_resnet18, se_resnet34,
                               se_resnet50, se_resnet101, se_resnet152)
from .c3d import C3D, c3d, c3d_small
from .cifar_resnet import (CifarResNet, cifar_plain20, cifar_plain34, cifar_plain56, cifar_preact_resnet110,
                           cifar_preact_resnet164, cifar_resnet18, cifar_resnet20, cifar_resnet32, cifar_resnet34,
                           cifar_resnet44, cifar_resnet50, cifar_resnet56, cifar_resnet110, resnext29_8x64d,
                           resnext29_16x64d, wrn16_4, wrn28_10, wrn40_4)
from .clip import (CLIP, clip_small, clip_vit_b_16, clip_vit_b_32, contrastive_loss, tokenize, zero_shot_classify,
                   zero_shot_weights)
from .convmixer import ConvMixer, cifar_convmixer, convmixer_768_32, convmixer_1024_20, convmixer_1536_20
from .convnext import ConvNeXt, convnext_base, convnext_large, convnext_small, convnext_tiny
from .cvt import ConvolutionalVisionTransformer, cifar_cvt, cvt_13, cvt_21
from .deit import (DistillationLoss, DistilledVisionTransformer, cifar_deit, deit_base_distilled, deit_small_distilled,
                   deit_tiny_distilled, distillation_loss)
from .densenet import DenseNet, cifar_densenet100, densenet121, densenet161, densenet169, densenet201
from .dpn import DPN, dpn92
from .detr import DETR, FrozenBatchNorm2d, detr_resnet50, detr_resnet101, detr_small, post_process
from .dino import DINO, DINOHead, DINOLoss, dino_small, dino_vit_small
from .dpt import DeformablePatchTransformer, DePatch, cifar_dpt, dpt_tiny
from .efficientnet import (EfficientNet, efficientnet_b0, efficientnet_b1, efficientnet_b2, efficientnet_b3,
                           efficientnet_b4, efficientnet_b5, efficientnet_b6, efficientnet_b7)
from .fcn import FCN, fcn8s, fcn16s, fcn32s
from .googlenet import GoogLeNet, GoogLeNetOutputs, googlenet
from .inception_v3 import Inception3, InceptionOutputs, inception_v3
from .inception_v4 import InceptionResNetV2, InceptionV4, inception_resnet_v2, inception_v4
from .lenet import LeNet5, LeNet5Original, lenet5, lenet5_original
from .matching import HungarianMatcher, SetCriterion, box_cxcywh_to_xyxy, generalized_box_iou, linear_sum_assignment
from .mixer import (MlpMixer, cifar_mixer, mixer_b_16, mixer_b_32, mixer_l_16, mixer_l_32, mixer_s_16, mixer_s_32)
from .mnasnet import MNASNet, mnasnet0_5, mnasnet0_75, mnasnet1_0, mnasnet1_3
from .mobilenet_v1 import MobileNetV1, mobilenet_v1, mobilenet_v1_0_5, mobilenet_v1_0_25, mobilenet_v1_0_75
from .mobilenet_v2 import MobileNetV2, cifar_mobilenet_v2, mobilenet_v2
from .nasnet import NASNet, nasnet_a_large, nasnet_a_mobile
from .perceiver import Perceiver, cifar_perceiver, perceiver
from .preact_resnet import (PreActResNet, preact_resnet18, preact_resnet34, preact_resnet50, preact_resnet101,
                            preact_resnet200)
from .quick_resnet import CifarCNN, QuickResNet, cifar_cnn, cifar_quick_resnet, cifar_quick_resnet_small
from .registry import example_inputs, get_model, list_models, register_model
from .regnet import (RegNet, regnet_x_1_6gf, regnet_x_3_2gf, regnet_x_8gf, regnet_x_16gf, regnet_x_32gf, regnet_x_400mf,
                     regnet_x_800mf, regnet_y_1_6gf, regnet_y_3_2gf, regnet_y_8gf, regnet_y_16gf, regnet_y_32gf,
                     regnet_y_128gf, regnet_y_400mf, regnet_y_800mf)
from .replknet import RepLKNet, replknet_31b, replknet_31l
from .repvgg import RepVGG, repvgg_a0, repvgg_a1, repvgg_a2, repvgg_b0, repvgg_b1, repvgg_b2, repvgg_b3
from .resnet import (ResNet, plain18, plain34, resnet18, resnet34, resnet50, resnet101, resnet152, resnext50_32x4d,
                     resnext101_32x8d, resnext101_64x4d, wide_resnet50_2, wide_resnet101_2)
from .resnet3d import VideoResNet, mc3_18, r2plus1d_18, r3d_18
from .shufflenet_v1 import (ShuffleNetV1, shufflenet_v1_g1, shufflenet_v1_g2, shufflenet_v1_g3, shufflenet_v1_g4,
                            shufflenet_v1_g8)
from .shufflenet_v2 import ShuffleNetV2, shufflenet_v2_x0_5, shufflenet_v2_x1_0, shufflenet_v2_x1_5, shufflenet_v2_x2_0
from .simple_cnn import SimpleCNN, simple_cnn
from .slak import DynamicSparsity, SLaK, slak_base, slak_small, slak_tiny
from .slowfast import SlowFast, slowfast_r50
from .squeezenet import SqueezeNet, squeezenet1_0, squeezenet1_1
from .swin import (ShiftedWindowAttention, SwinTransformer, SwinTransformerBlock, cifar_swin, swin_b, swin_s, swin_t)
from .timesformer import TimeSformer, timesformer, timesformer_small
from .two_stream import TwoStream, two_stream
from .unet import UNet, unet, unet_padded
from .vatt import VATT, mil_nce, vatt_loss, vatt_small
from .vgg import (VGG, vgg11, vgg11_bn, vgg11_lrn, vgg13, vgg13_bn, vgg16, vgg16_1x1, vgg16_bn, vgg19, vgg19_bn)
from .vit import (ConvStemConfig, VisionTransformer, cifar_vit, interpolate_embeddings, mnist_vit, sine_positions, vit_b_16,
                  vit_b_32, vit_h_14, vit_l_16, vit_l_32, vit_small, vit_tiny)
from .xception import Xception, xception
