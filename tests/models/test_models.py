"""The zoo: published numbers of weights, what models refuse, and that each of them learns."""
import io

import numpy as np
import pytest

import tinycnn
from tinycnn import models, nn
from tinycnn.models.blocks import StochasticDepth, make_divisible
from tinycnn.models.efficientnet import compound_scaling
from tinycnn.models.mobilenet_v1 import multiply_adds
from tinycnn.models.regnet import stages
from tinycnn.models.resnet import Bottleneck


def count(model):
    return sum(p.numel() for p in model.parameters())


def without_weights(name, **options):
    return nn.utils.skip_init(models.get_model, name, **options)


# as torchvision, Keras or the authors state them, at 1,000 classes (cifar and wrn and resnext29: 10)
PUBLISHED = dict(
    alexnet=61_100_840, alexnet_2012=60_965_224,
    vgg11=132_863_336, vgg13=133_047_848, vgg16=138_357_544, vgg19=143_667_240,
    vgg11_bn=132_868_840, vgg13_bn=133_053_736, vgg16_bn=138_365_992, vgg19_bn=143_678_248,
    resnet18=11_689_512, resnet34=21_797_672, resnet50=25_557_032, resnet101=44_549_160, resnet152=60_192_808,
    resnext50_32x4d=25_028_904, resnext101_32x8d=88_791_336, resnext101_64x4d=83_455_272,
    wide_resnet50_2=68_883_240, wide_resnet101_2=126_886_696,
    cifar_resnet20=269_722, cifar_resnet32=464_154, cifar_resnet44=658_586, cifar_resnet56=853_018,
    cifar_resnet110=1_727_962, cifar_resnet18=11_173_962, wrn28_10=36_479_194,
    densenet121=7_978_856, densenet161=28_681_000, densenet169=14_149_480, densenet201=20_013_928,
    cifar_densenet100=769_162,
    inception_v3=27_161_264, squeezenet1_0=1_248_424, squeezenet1_1=1_235_496,
    mobilenet_v1=4_231_976, mobilenet_v1_0_75=2_585_560, mobilenet_v1_0_5=1_331_592, mobilenet_v1_0_25=470_072,
    mobilenet_v2=3_504_872,
    shufflenet_v2_x0_5=1_366_792, shufflenet_v2_x1_0=2_278_604, shufflenet_v2_x1_5=3_503_624, shufflenet_v2_x2_0=7_393_996,
    mnasnet0_5=2_218_512, mnasnet0_75=3_170_208, mnasnet1_0=4_383_312, mnasnet1_3=6_282_256,
    efficientnet_b0=5_288_548, efficientnet_b1=7_794_184, efficientnet_b2=9_109_994, efficientnet_b3=12_233_232,
    efficientnet_b4=19_341_616, efficientnet_b5=30_389_784, efficientnet_b6=43_040_704, efficientnet_b7=66_347_960,
    convnext_tiny=28_589_128, convnext_small=50_223_688, convnext_base=88_591_464, convnext_large=197_767_336,
    regnet_y_400mf=4_344_144, regnet_y_800mf=6_432_512, regnet_y_1_6gf=11_202_430, regnet_y_3_2gf=19_436_338,
    regnet_y_8gf=39_381_472, regnet_y_16gf=83_590_140, regnet_y_32gf=145_046_770, regnet_y_128gf=644_812_894,
    regnet_x_400mf=5_495_976, regnet_x_800mf=7_259_656, regnet_x_1_6gf=9_190_136, regnet_x_3_2gf=15_296_552,
    regnet_x_8gf=39_572_648, regnet_x_16gf=54_278_536, regnet_x_32gf=107_811_560,
    se_resnet18=11_778_592, se_resnet34=21_958_868, se_resnet50=28_088_024, se_resnet101=49_326_872,
    se_resnet152=66_821_848, lenet5_original=61_706,
    inception_v4=42_679_816, inception_resnet_v2=55_843_464, xception=22_855_952, dpn92=37_668_392,
    nasnet_a_mobile=5_289_978, nasnet_a_large=88_753_150,
    unet=31_030_658, c3d=79_991_015, r3d_18=33_371_472, mc3_18=11_695_440, r2plus1d_18=31_505_325,
)

# papers that round: (millions, half of the last digit)
ROUNDED = dict(
    vgg11_lrn=(133, 0.5), vgg16_1x1=(134, 0.5), cifar_preact_resnet110=(1.7, 0.05), cifar_preact_resnet164=(1.7, 0.05),
    wrn40_4=(8.9, 0.05), resnext29_8x64d=(34.4, 0.05), resnext29_16x64d=(68.1, 0.1), cbam_resnet50=(28.09, 0.005),
    repvgg_a0=(9.11, 0.005), repvgg_a1=(14.09, 0.005), repvgg_a2=(28.21, 0.005), repvgg_b0=(15.82, 0.005),
    repvgg_b1=(57.42, 0.005), repvgg_b2=(89.02, 0.005), repvgg_b3=(123.09, 0.005), replknet_31b=(79.9, 0.05),
    slowfast_r50=(34.48, 0.005),
)


@pytest.mark.parametrize("name, expected", PUBLISHED.items(), ids=PUBLISHED)
def test_number_of_weights_is_the_published_one(name, expected):
    assert count(without_weights(name)) == expected


@pytest.mark.parametrize("name, expected", ROUNDED.items(), ids=ROUNDED)
def test_number_of_weights_rounds_to_the_published_one(name, expected):
    assert abs(count(without_weights(name)) / 1e6 - expected[0]) <= expected[1]


def test_googlenet_without_its_side_heads():
    assert count(without_weights("googlenet", aux_logits=False)) == 6_624_904
    assert count(without_weights("googlenet")) == 13_004_888


def test_fcn_adds_to_vgg16_what_its_paper_says():
    model = without_weights("fcn32s")
    assert round((count(model) - count(model.upscore)) / 1e6) == 134
    classifier = 4097 * 1000
    assert count(model) - count(model.upscore) - count(model.score_fr) == PUBLISHED["vgg16"] - classifier


def test_keras_counts_the_running_statistics_of_xception_too():
    model = without_weights("xception")
    statistics = sum(b.numel() for name, b in model.named_buffers() if "running" in name)
    assert statistics == 54_528 and count(model) + statistics == 22_910_480


@pytest.mark.parametrize("name, millions", [("slak_tiny", 30), ("slak_small", 55), ("slak_base", 95)])
def test_weights_of_slak_that_are_not_zero(name, millions):
    assert abs(0.6 * count(without_weights(name)) / 1e6 - millions) < 0.5


def test_plain_network_is_resnet_less_its_projections():
    projections = sum(a * b + 2 * b for a, b in ((64, 128), (128, 256), (256, 512)))
    assert count(without_weights("plain34")) == PUBLISHED["resnet34"] - projections


def test_blocks_of_the_lecture():
    """A bottleneck and its counterpart with 32 groups cost the same, convolutions alone."""
    bottleneck, groups = Bottleneck(256, 64), Bottleneck(256, 64, groups=32, base_width=4)
    convolutions = [sum(p.numel() for p in block.parameters() if p.ndim == 4) for block in (bottleneck, groups)]
    assert convolutions == [69_632, 70_144]


@pytest.mark.parametrize("groups, millions", [(1, 143), (2, 140), (3, 137), (4, 133), (8, 137)])
def test_shufflenet_costs_what_its_paper_says(groups, millions):
    model = without_weights(f"shufflenet_v1_g{groups}")
    assert abs(multiplications(model, 224) / 1e6 - millions) < 0.03 * millions


def multiplications(model, size):
    """Multiply-adds of convolutions and linear layers for one picture, counted without computing anything."""
    total = 0

    def conv(m, args, y):
        nonlocal total
        total += y.numel() * m.weight.numel() // m.weight.shape[0]
    for m in model.modules():
        if isinstance(m, (nn.Conv2d, nn.Linear)):
            for p in m.parameters():
                p.array[...] = 0
            m.register_forward_hook(conv)
    with tinycnn.no_grad():
        model.eval()(tinycnn.zeros(1, 3, size, size))
    return total


@pytest.mark.parametrize("width, size, millions", [
    (1.0, 224, 569), (0.75, 224, 325), (0.5, 224, 149), (0.25, 224, 41), (1.0, 192, 418), (1.0, 160, 290), (1.0, 128, 186)])
def test_multipliers_of_mobilenet_cost_what_its_paper_says(width, size, millions):
    assert abs(multiply_adds(width, size / 224) / 1e6 - millions) < 1


def test_cost_formula_of_mobilenet_agrees_with_the_network():
    assert multiplications(without_weights("mobilenet_v1_0_5"), 96) == multiply_adds(0.5, 96 / 224)


def test_compound_scaling_doubles_the_cost_at_each_step():
    depth, width, size = compound_scaling(1)
    assert (depth, width, size) == (1.2, 1.1, 258) and abs(depth * width ** 2 * (size / 224) ** 2 - 2) < 0.1
    assert compound_scaling(0) == (1, 1, 224)


def test_width_formula_of_regnet():
    assert stages(16, 48, 27.89, 2.09, 8) == [(48, 1, 8), (104, 3, 8), (208, 6, 8), (440, 6, 8)]
    with pytest.raises(ValueError, match="w_m above 1.*0.9"):
        stages(16, 48, 27.89, 0.9, 8)


def test_widths_are_rounded_to_multiples_but_never_much_down():
    assert [make_divisible(w) for w in (3, 8, 11, 12, 83, 84, 90.4)] == [8, 8, 16, 16, 80, 88, 88]


# ---- every family takes a step -----------------------------------------------------------------------------------------

# name: (size of the pictures, options)
SMALL = dict(
    simple_cnn=(32, dict(image_size=32)), cifar_cnn=(8, {}), cifar_quick_resnet=(16, {}),
    lenet5=(28, dict(in_channels=1)), lenet5_original=(28, {}),
    alexnet=(63, dict(hidden=16)), alexnet_2012=(67, dict(hidden=16)),
    vgg11=(32, dict(hidden=16)), vgg11_lrn=(32, dict(hidden=16)), vgg11_bn=(32, dict(hidden=16)),
    vgg16_1x1=(32, dict(hidden=16)), resnet18=(32, {}), plain18=(32, {}),
    resnext50_32x4d=(32, {}), preact_resnet18=(32, {}), se_resnet18=(32, {}), cbam_resnet18=(32, {}),
    cifar_resnet20=(16, {}), cifar_plain20=(16, {}),
    cifar_resnet18=(8, {}), wrn16_4=(8, dict(dropout=0.3)), cifar_densenet100=(8, {}), densenet121=(32, dict(drop_rate=0.1)),
    googlenet=(32, {}), squeezenet1_0=(32, {}), squeezenet1_1=(32, {}),
    mobilenet_v1=(32, {}), mobilenet_v2=(32, {}), cifar_mobilenet_v2=(16, {}), shufflenet_v1_g3=(32, {}),
    shufflenet_v2_x0_5=(32, {}), mnasnet0_5=(32, {}), efficientnet_b0=(32, {}), convnext_tiny=(32, {}),
    regnet_x_400mf=(32, {}), regnet_y_400mf=(32, {}), repvgg_a0=(32, {}),
    inception_v4=(75, dict(blocks=(1, 1, 1))), inception_resnet_v2=(75, dict(blocks=(1, 1, 1))),
    xception=(40, dict(middle=1)), dpn92=(32, dict(blocks=(1, 1, 1, 1))), nasnet_a_mobile=(32, dict(repeats=1)),
    replknet_31b=(32, dict(layers=(1, 1, 1, 1), channels=(8, 16, 24, 32))),
    slak_tiny=(32, dict(depths=(1, 1, 1, 1), dims=(8, 16, 24, 32))),
)


def pictures(name, *shape):
    channels = 1 if name.startswith("lenet") else 3
    return tinycnn.tensor(np.random.default_rng(0).standard_normal((shape[0], channels, *shape[1:])), dtype="float32")


@pytest.fixture(autouse=True)
def seeded():
    tinycnn.manual_seed(0)


def small(name):
    size, options = SMALL[name]
    return models.get_model(name, num_classes=5, **options), size


@pytest.mark.parametrize("name", SMALL)
def test_a_gradient_step_reaches_every_weight(name):
    model, size = small(name)
    target = tinycnn.tensor([0, 1, 2, 3])
    y = model(pictures(name, 4, size, size))
    sum(nn.functional.cross_entropy(part, target) for part in (y if isinstance(y, tuple) else (y,))).backward()
    assert all(np.isfinite(p.grad.array).all() for p in model.parameters())
    assert [key for key, p in model.named_parameters() if not p.grad.array.any()] == []
    tinycnn.optim.SGD(model.parameters(), 1e-3).step()
    assert all(p.dtype == "float32" and np.isfinite(p.array).all() for p in model.parameters())


@pytest.mark.parametrize("name", SMALL)
def test_one_picture_in_evaluation(name):
    model, size = small(name)
    model.eval()
    with tinycnn.no_grad():
        y = model(pictures(name, 1, size, size))
        assert y.shape == (1, 5) and y.dtype == "float32" and np.isfinite(y.array).all()
        if not name.startswith(("lenet", "simple")):
            assert model(pictures(name, 1, size + 3, size + 1)).shape == (1, 5)


@pytest.mark.slow
def test_inception_v3_with_its_side_head_takes_a_step():
    model = models.inception_v3(num_classes=5)
    y = model(pictures("inception_v3", 2, 299, 299))
    (y.logits.square().sum() + y.aux_logits.square().sum()).backward()
    assert all(np.isfinite(p.grad.array).all() and p.grad.array.any() for p in model.parameters())


def test_inception_v3_takes_a_step():
    model = models.inception_v3(num_classes=5, aux_logits=False)
    model(pictures("inception_v3", 2, 75, 80)).square().sum().backward()
    assert all(np.isfinite(p.grad.array).all() for p in model.parameters())
    assert model.eval()(pictures("inception_v3", 1, 90, 75)).shape == (1, 5)


@pytest.mark.parametrize("name, least, options", [
    ("alexnet", 63, dict(hidden=8)), ("alexnet_2012", 67, dict(hidden=8)), ("vgg11", 32, dict(hidden=8)),
    ("googlenet", 15, {}), ("inception_v3", 75, {}), ("squeezenet1_0", 21, {}), ("squeezenet1_1", 17, {}),
    ("densenet121", 29, {}), ("cifar_densenet100", 4, {}), ("convnext_tiny", 32, {}),
    ("inception_v4", 75, dict(blocks=(1, 1, 1))), ("inception_resnet_v2", 75, dict(blocks=(1, 1, 1))), ("xception", 7, {}),
    ("nasnet_a_mobile", 3, {}), ("slak_tiny", 32, dict(dims=(8, 8, 8, 8)))])
def test_pictures_too_small_are_refused_and_the_smallest_work(name, least, options):
    model = models.get_model(name, num_classes=3, **options).eval()
    with tinycnn.no_grad():
        assert model(pictures(name, 1, least, least + 1)).shape == (1, 3)
        with pytest.raises(ValueError, match=rf"at least {least}x{least} pixels, got shape \(1, 3, {least}, {least - 1}\)"):
            model(pictures(name, 1, least, least - 1))


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "shufflenet_v2_x0_5", "efficientnet_b0", "regnet_y_400mf",
                                  "repvgg_a0", "cifar_resnet20", "mobilenet_v1", "mnasnet0_5", "shufflenet_v1_g3"])
def test_padded_networks_take_any_size(name):
    assert models.get_model(name, num_classes=3).eval()(pictures(name, 1, 1, 7)).shape == (1, 3)


# ---- pixels and clips --------------------------------------------------------------------------------------------------

def random(*shape):
    return tinycnn.tensor(np.random.default_rng(0).standard_normal(shape), dtype="float32")


DENSE = dict(  # name: (shapes of the inputs, options, shape of the result for a batch of 2)
    fcn32s=([(3, 17, 20)], dict(hidden=8), (2, 5, 17, 20)), fcn16s=([(3, 17, 20)], dict(hidden=8), (2, 5, 17, 20)),
    fcn8s=([(3, 17, 20)], dict(hidden=8), (2, 5, 17, 20)),
    unet=([(1, 188, 204)], dict(width=2), (2, 5, 4, 20)), unet_padded=([(1, 33, 47)], dict(width=2), (2, 5, 33, 47)),
    c3d=([(3, 16, 20, 24)], dict(width=4, hidden=8), (2, 5)), c3d_small=([(3, 16, 20, 24)], {}, (2, 5)),
    r3d_18=([(3, 4, 16, 18)], {}, (2, 5)), mc3_18=([(3, 4, 16, 18)], {}, (2, 5)), r2plus1d_18=([(3, 4, 16, 18)], {}, (2, 5)),
    two_stream=([(3, 45, 41), (20, 45, 41)], dict(width=6, hidden=(8, 8)), (2, 5)),
    slowfast_r50=([(3, 9, 32, 40)], dict(width=16, layers=(1, 1, 1, 1)), (2, 5)),
)


@pytest.mark.parametrize("name", DENSE)
def test_a_gradient_step_reaches_every_weight_of_networks_for_pixels_and_clips(name):
    shapes, options, result = DENSE[name]
    model = models.get_model(name, num_classes=5, **options)
    for m in model.modules():
        if isinstance(m, nn.Conv2d) and not m.weight.array.any():
            m.reset_parameters()  # the score layers of FCN start at 0, and nothing would pass
    y = model(*(random(2, *shape) for shape in shapes))
    assert y.shape == result and y.dtype == "float32"
    (y * random(*y.shape)).sum().backward()
    assert all(np.isfinite(p.grad.array).all() for p in model.parameters())
    assert [key for key, p in model.named_parameters() if not p.grad.array.any()] == []
    with tinycnn.no_grad():
        assert model.eval()(*(random(1, *shape) for shape in shapes)).shape == (1, *result[1:])


@pytest.mark.parametrize("name, shape, words", [
    ("unet", (1, 1, 190, 188), r"188, 204, 220, ..., got shape \(1, 1, 190, 188\); padding=1 takes any size"),
    ("unet", (1, 1, 172, 188), "188, 204, 220"), ("unet_padded", (1, 1, 15, 20), "at least 16x16"),
    ("c3d_small", (1, 3, 15, 16, 16), "at least 16x16x16.*15, 16, 16"), ("c3d_small", (3, 16, 16, 16), "clips"),
    ("slowfast_r50", (1, 2, 8, 32, 32), r"clips \(N, 3, T, H, W\), got shape \(1, 2, 8, 32, 32\)")])
def test_networks_for_pixels_and_clips_say_what_sizes_work(name, shape, words):
    options = dict(width=8) if name == "slowfast_r50" else {}
    with pytest.raises(ValueError, match=words):
        models.get_model(name, **options)(tinycnn.zeros(*shape))


def test_unet_of_the_paper_maps_572_pixels_to_388():
    assert models.unet(width=1)(tinycnn.zeros(1, 1, 572, 572)).shape == (1, 2, 388, 388)


def test_fcn_slides_vgg16_over_the_picture():
    vgg = models.vgg16(hidden=8).eval()
    model = models.fcn32s(hidden=8).load_vgg16(vgg.state_dict()).eval()
    model.features[0].padding = (1, 1)
    x = random(1, 3, 224, 224)
    with tinycnn.no_grad():
        hidden = model.fc7(model.relu(model.fc6(model.features(x)))).relu()
        expected = vgg.classifier[:5](vgg.features(x).flatten(1))
    assert hidden.shape == (1, 8, 1, 1)
    np.testing.assert_allclose(hidden.array.reshape(1, 8), expected.array, rtol=1e-4, atol=1e-6)


def test_fcn_starts_with_bilinear_interpolation():
    model = models.fcn8s(num_classes=3, hidden=8)
    ramp = tinycnn.arange(6.0).reshape(1, 1, 1, 6).expand(1, 3, 5, 6)
    y = model.upscore2(ramp).array[0, :, 4:-4, 4:-4]
    np.testing.assert_allclose(y, np.broadcast_to(np.arange(y.shape[2]) / 2 + 1.25, y.shape), rtol=1e-6)
    assert not model(random(1, 3, 20, 20)).array.any()


def test_streams_are_averaged_as_probabilities():
    model = models.TwoStream(4, frames=1, width=6, hidden=(8, 8)).eval()
    picture, flow = random(2, 3, 45, 45), random(2, 2, 45, 45)
    expected = (model.spatial(picture).softmax(1) + model.temporal(flow).softmax(1)).array / 2
    np.testing.assert_allclose(np.exp(model(picture, flow).array), expected, rtol=1e-5)


# ---- what makes a family special ---------------------------------------------------------------------------------------

def test_repvgg_is_a_plain_network_after_deploy():
    model = models.RepVGG((1, 2, 1, 1), (0.25, 0.25, 0.25, 0.25), num_classes=5).double()
    rng = np.random.default_rng(0)
    for key, value in model.state_dict().items():
        if "bn" in key or "identity" in key:
            if value.dtype == "float64":
                value.array[...] = rng.uniform(0.5, 1.5, value.shape)
    x = tinycnn.tensor(rng.standard_normal((2, 3, 32, 32)))
    expected = model.eval()(x).array
    assert model.deploy() is model
    np.testing.assert_allclose(model(x).array, expected, rtol=1e-10, atol=1e-12)
    kernels = [m.kernel_size for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert kernels == [(3, 3)] * 6 and not any(isinstance(m, nn.BatchNorm2d) for m in model.modules())
    assert np.array_equal(model.deploy()(x).array, model(x).array)


def test_deployed_repvgg_has_the_published_number_of_weights():
    assert count(without_weights("repvgg_a0").deploy()) == 8_309_384


def test_replknet_is_the_same_network_after_deploy():
    model = models.RepLKNet((9, 7), (2, 1), (6, 8), num_classes=5, drop_path=0).double()
    x = tinycnn.tensor(np.random.default_rng(0).standard_normal((2, 3, 32, 32)))
    model(x)  # moves the running statistics
    expected = model.eval()(x).array
    np.testing.assert_allclose(model.deploy()(x).array, expected, rtol=1e-9, atol=1e-12)
    assert [m.kernel_size for m in model.modules() if isinstance(m, nn.Conv2d) and m.kernel_size[0] > 3] == [(9, 9)] * 2 + [
        (7, 7)]
    with pytest.raises(ValueError, match="LargeKernel.*7 and 9"):
        models.RepLKNet((7,), (1,), (6,), small_kernel=9)


def test_dynamic_sparsity_keeps_its_share_and_moves_the_smallest():
    model = models.slak_tiny(depths=(1,), dims=(6,), kernel_sizes=(7,), num_classes=3)
    sparse = models.DynamicSparsity(model, 0.4)
    weights = [w.array for w in sparse.weights]
    assert all((w == 0).sum() == round(0.4 * w.size) for w in weights)
    before = [w.copy() for w in weights]
    sparse.exchange(0.5)
    for w, old, mask in zip(weights, before, sparse.masks):
        alive = w.size - round(0.4 * w.size)
        moved = min(int(0.5 * alive), w.size - alive)
        assert mask.array.sum() == alive
        kept = (w != 0) & (old != 0)
        assert kept.sum() == alive - moved and np.array_equal(w[kept], old[kept])
        assert np.abs(old[kept]).min() >= np.abs(old[(old != 0) & ~kept]).max()
        assert ((old == 0) & (mask.array == 1)).sum() == moved
    for w in sparse.weights:
        w.data.add_(1)
    sparse.apply()
    assert all(((w == 0) == (mask.array == 0)).all() for w, mask in zip(weights, sparse.masks))
    with pytest.raises(ValueError, match="sparsity.*1.5"):
        models.DynamicSparsity(model, 1.5)


def test_stochastic_depth_drops_whole_items_and_keeps_the_mean():
    layer = StochasticDepth(0.25)
    y = layer(tinycnn.ones(4000, 2, 3, 3)).array
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)}
    assert (y == y[:, :1, :1, :1]).all() and abs(y.mean() - 1) < 0.05
    assert (layer.eval()(tinycnn.ones(8, 2)).array == 1).all()
    assert (StochasticDepth(1.0)(tinycnn.ones(8, 2)).array == 0).all()


def test_resnet_starts_as_the_identity_if_asked():
    model = models.resnet18(zero_init_residual=True, num_classes=3)
    assert all((m.bn2.weight.array == 0).all() for m in model.modules() if hasattr(m, "bn2"))


def test_googlenet_returns_its_side_heads_only_in_training():
    model = models.googlenet(num_classes=3)
    x = pictures("googlenet", 2, 32, 32)
    y = model(x)
    assert isinstance(y, models.GoogLeNetOutputs) and [part.shape for part in y] == [(2, 3)] * 3
    assert model.eval()(x).shape == (2, 3)


@pytest.mark.parametrize("build, words", [
    (lambda: models.SqueezeNet("2_0"), "version.*'2_0'"),
    (lambda: models.ResNet(models.resnet18().layer1[0].__class__, [1, 1, 1, 1], groups=2), "groups=1"),
    (lambda: models.resnet50(replace_stride_with_dilation=[True]), r"replace_stride_with_dilation.*\[True\]"),
    (lambda: models.ShuffleNetV1(5), "groups.*5"), (lambda: models.MNASNet(0), "alpha.*0"),
    (lambda: models.FCN(4), "stride.*4"), (lambda: models.UNet(padding=2), "padding.*2"),
    (lambda: models.ShuffleNetV2([1], [2]), "stages_repeats.*3.*5")])
def test_models_refuse_what_cannot_work(build, words):
    with pytest.raises(ValueError, match=words):
        build()


# ---- by name, and with weights ------------------------------------------------------------------------------------------

def test_every_builder_is_known_by_name_and_has_its_name():
    names = models.list_models()
    assert names == sorted(names) and len(names) > 100
    for name in names:
        assert getattr(models, name).__name__ == name and getattr(models, name).__doc__
    with pytest.raises(ValueError, match="'resnet19'; did you mean 'resnet18'"):
        models.get_model("resnet19")


def test_weights_come_from_a_file_or_a_state(tmp_path):
    source = models.squeezenet1_1(num_classes=3).eval()
    tinycnn.save(source.state_dict(), tmp_path / "weights.safetensors")
    x = pictures("squeezenet1_1", 1, 32, 32)
    for weights in (tmp_path / "weights.safetensors", source.state_dict()):
        loaded = models.squeezenet1_1(weights=weights, progress=False, num_classes=3).eval()
        assert np.array_equal(loaded(x).array, source(x).array)
    buffer = io.BytesIO()
    tinycnn.save(source.state_dict(), buffer)
    buffer.seek(0)
    assert np.array_equal(models.squeezenet1_1(weights=buffer, num_classes=3).eval()(x).array, source(x).array)


def test_weights_that_are_no_file_are_named():
    with pytest.raises(FileNotFoundError, match="resnet18: weights.*'IMAGENET1K_V1'.*not downloaded"):
        models.resnet18(weights="IMAGENET1K_V1")
    with pytest.raises(FileNotFoundError, match="resnet18: pretrained weights are not downloaded"):
        models.resnet18(pretrained=True)
    assert models.squeezenet1_1(pretrained=False, num_classes=3).classifier[1].out_channels == 3
    with pytest.raises(RuntimeError, match="size mismatch for classifier.1.bias"):
        models.squeezenet1_1(weights=models.squeezenet1_1(num_classes=3).state_dict())


def test_densenet_reads_the_names_of_the_published_files():
    options = dict(num_classes=3, drop_rate=0)
    state = models.cifar_densenet100(num_classes=3).state_dict()
    assert "features.denseblock1.denselayer1.norm1.weight" in state
    source = models.densenet121(**options)
    old = {key.replace("norm1.", "norm.1.").replace("norm2.", "norm.2.").replace("conv1.", "conv.1.")
           .replace("conv2.", "conv.2.") if "denselayer" in key else key: value
           for key, value in source.state_dict().items()}
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    loaded = models.densenet121(weights=old, **options)
    assert all(np.array_equal(a.array, b.array) for a, b in zip(source.parameters(), loaded.parameters(), strict=True))


def test_skip_init_leaves_weights_as_they_are_and_ends():
    tinycnn.manual_seed(3)
    expected = tinycnn.randn(3).array
    tinycnn.manual_seed(3)
    layer = nn.utils.skip_init(nn.Conv2d, 2, 3, 3)
    assert layer.weight.shape == (3, 2, 3, 3)
    assert np.array_equal(tinycnn.randn(3).array, expected), "random numbers were drawn"
    with pytest.raises(TypeError):
        nn.utils.skip_init(nn.Conv2d, "two")
    before = layer.weight.array.copy()
    layer.reset_parameters()
    assert not np.array_equal(layer.weight.array, before)
