"""The networks for minutes on a few cores, and their whitening layer."""
import numpy as np
import pytest

import tinycnn
from tinycnn import models, nn


@pytest.fixture(autouse=True)
def seeded():
    tinycnn.manual_seed(0)


@pytest.mark.parametrize("build, weights", [(models.cifar_cnn, 288_746), (models.cifar_quick_resnet, 1_161_272),
                                            (models.cifar_quick_resnet_small, 295_096)])
def test_a_gradient_step_reaches_every_weight_and_sizes_may_vary(build, weights):
    model = build(num_classes=10)
    assert sum(p.numel() for p in model.parameters()) == weights
    nn.functional.cross_entropy(model(tinycnn.randn(3, 3, 20, 17)), tinycnn.tensor([0, 1, 2])).backward()
    assert [name for name, p in model.named_parameters() if not p.grad.array.any()] == []


def test_whitened_patches_are_uncorrelated_and_have_variance_one():
    model = models.cifar_quick_resnet_small()
    pixels = tinycnn.randn(50, 3, 12, 12)
    smooth = nn.functional.avg_pool2d(pixels, 5, 1) + 0.3 * pixels[:, :1, :8, :8]
    model.whiten(smooth)
    model.whitening.bias.data.zero_()
    y = model.whitening(smooth).array.transpose(1, 0, 2, 3).reshape(24, -1)
    assert np.allclose(y[:12], -y[12:], atol=1e-4)
    covariance = np.cov(y[:12])
    variance = np.diag(covariance)
    assert np.abs(covariance - np.diag(variance)).max() < 0.01
    assert (variance < 1).all() and variance[-1] > 0.99, "the smallest directions are damped, the largest are not"


def test_whitened_layer_does_not_learn_but_its_bias_does():
    model = models.cifar_quick_resnet_small()
    model.whiten(tinycnn.randn(20, 3, 8, 8))
    model(tinycnn.randn(2, 3, 16, 16)).square().sum().backward()
    assert model.whitening.weight.grad is None and model.whitening.bias.grad.array.any()
    with pytest.raises(TypeError, match="QuickResNet.whiten: x"):
        model.whiten(np.zeros((2, 3, 8, 8)))
