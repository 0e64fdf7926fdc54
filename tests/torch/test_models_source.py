"""The files of the zoo run on PyTorch too: the same source, with torch where it says tinycnn, is a second witness.

What it shows: that the models use nothing that PyTorch lacks, that PyTorch lists their state under the same names in the
same order, and that both compute the same. It is no independent reference; those are in the other files.
"""
import numpy as np
import pytest

import tinycnn
from benchmarks import twin
from tinycnn import models

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.slow

FAMILIES = {  # file: [(builder, shapes of the inputs without batch, options)]
    "alexnet": [("alexnet", [(3, 70, 63)], dict(hidden=8)), ("alexnet_2012", [(3, 70, 67)], dict(hidden=8))],
    "attention_resnet": [("se_resnet18", [(3, 32, 40)], {}), ("cbam_resnet18", [(3, 32, 40)], {})],
    "c3d": [("c3d_small", [(3, 16, 18, 20)], {})],
    "cifar_resnet": [("cifar_resnet20", [(3, 16, 15)], {}), ("wrn16_4", [(3, 16, 15)], {}),
                     ("cifar_resnet18", [(3, 8, 9)], {})],
    "convnext": [("convnext_tiny", [(3, 32, 40)], {})],
    "densenet": [("densenet121", [(3, 32, 40)], {}), ("cifar_densenet100", [(3, 16, 15)], {})],
    "dpn": [("dpn92", [(3, 32, 40)], dict(blocks=(1, 2, 1, 1)))],
    "efficientnet": [("efficientnet_b0", [(3, 32, 40)], {}), ("efficientnet_b5", [(3, 32, 33)], {})],
    "fcn": [("fcn8s", [(3, 20, 24)], dict(hidden=8))],
    "googlenet": [("googlenet", [(3, 32, 40)], {})],
    "inception_v3": [("inception_v3", [(3, 75, 80)], {})],
    "inception_v4": [("inception_v4", [(3, 75, 80)], dict(blocks=(1, 1, 1))),
                     ("inception_resnet_v2", [(3, 75, 80)], dict(blocks=(1, 1, 1)))],
    "mnasnet": [("mnasnet0_5", [(3, 32, 40)], {})],
    "mobilenet_v1": [("mobilenet_v1", [(3, 32, 40)], {})],
    "mobilenet_v2": [("mobilenet_v2", [(3, 32, 40)], {}), ("cifar_mobilenet_v2", [(3, 32, 40)], {})],
    "nasnet": [("nasnet_a_mobile", [(3, 32, 40)], {})],
    "preact_resnet": [("preact_resnet18", [(3, 32, 40)], {}), ("preact_resnet50", [(3, 32, 40)], {})],
    "regnet": [("regnet_y_400mf", [(3, 32, 40)], {}), ("regnet_x_400mf", [(3, 32, 40)], {})],
    "replknet": [("replknet_31b", [(3, 32, 40)], dict(layers=(1, 1, 1, 1), channels=(8, 16, 24, 32)))],
    "repvgg": [("repvgg_a0", [(3, 32, 40)], {})],
    "resnet": [("resnet18", [(3, 32, 40)], {}), ("resnext50_32x4d", [(3, 32, 40)], {}), ("plain18", [(3, 32, 40)], {})],
    "resnet3d": [("r3d_18", [(3, 4, 16, 18)], {}), ("mc3_18", [(3, 4, 16, 18)], {}), ("r2plus1d_18", [(3, 4, 16, 18)], {})],
    "shufflenet_v1": [("shufflenet_v1_g3", [(3, 32, 40)], {})],
    "shufflenet_v2": [("shufflenet_v2_x1_0", [(3, 32, 40)], {})],
    "slak": [("slak_tiny", [(3, 32, 40)], dict(depths=(1, 1, 1, 1), dims=(8, 16, 24, 32)))],
    "slowfast": [("slowfast_r50", [(3, 9, 32, 40)], dict(width=16, layers=(1, 1, 1, 1)))],
    "squeezenet": [("squeezenet1_0", [(3, 32, 40)], {}), ("squeezenet1_1", [(3, 32, 40)], {})],
    "two_stream": [("two_stream", [(3, 45, 41), (20, 45, 41)], dict(width=6, hidden=(8, 8)))],
    "unet": [("unet", [(1, 188, 204)], dict(width=2)), ("unet_padded", [(1, 33, 47)], dict(width=2))],
    "vgg": [("vgg11_bn", [(3, 32, 40)], dict(hidden=8)), ("vgg11_lrn", [(3, 32, 40)], dict(hidden=8)),
            ("vgg16_1x1", [(3, 32, 40)], dict(hidden=8))],
    "xception": [("xception", [(3, 40, 33)], dict(middle=1))],
}


CASES = [(family, *case) for family, cases in FAMILIES.items() for case in cases]


@pytest.mark.parametrize("family, name, shapes, options", CASES, ids=[case[1] for case in CASES])
def test_the_same_source_on_pytorch(family, name, shapes, options):
    tinycnn.manual_seed(0)
    ours = models.get_model(name, num_classes=5, **options).eval()
    theirs = getattr(twin.family(torch, family), name)(num_classes=5, **options).eval()
    state = {key: torch.tensor(np.array(value.array)) for key, value in ours.state_dict().items()}
    assert list(state) == list(theirs.state_dict())
    theirs.load_state_dict(state)
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal((2, *shape)) for shape in shapes]
    with torch.no_grad(), tinycnn.no_grad():
        got = ours.double()(*map(tinycnn.tensor, inputs)).array
        expected = theirs.double()(*map(torch.tensor, inputs)).numpy()
    np.testing.assert_allclose(got, expected, rtol=1e-8, atol=1e-10 * np.abs(expected).max())
