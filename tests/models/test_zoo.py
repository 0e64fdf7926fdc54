"""The zoo as a whole: every model by name, the tables of its page, and torchvision's names, shapes and costs."""
import hashlib
import json
import pickle

import numpy as np
import pytest

from tests.models import test_models, test_transformer_models
from benchmarks import zoo
from benchmarks.families import FAMILIES
from tinycnn import models, nn, no_grad, randn_like
from tinycnn.cli import main

TEXT = zoo.PAGE.read_text(encoding="utf-8")
FAMILY_ROWS, MODEL_ROWS, _ = zoo.read(TEXT)

# torchvision 0.29: billions of multiply-adds, where it states them for the size of the paper; the start of the SHA-256 of
# its state_dict, a line "name (shape)" an entry
TORCHVISION = dict(
    alexnet=(0.714, "9c198ebd"), convnext_base=(15.355, "7a4c459f"), convnext_large=(34.361, "081e7faa"),
    convnext_small=(8.684, "92e28edd"), convnext_tiny=(4.456, "2bc10f34"), densenet121=(2.834, "aa0fd992"),
    densenet161=(7.728, "82d337d4"), densenet169=(3.36, "e2d0f02d"), densenet201=(4.291, "0d234ad7"),
    efficientnet_b0=(0.386, "a04d0792"), efficientnet_b1=(0.687, "9aaba074"), efficientnet_b2=(None, "a6d3677e"),
    efficientnet_b3=(1.827, "49511144"), efficientnet_b4=(4.394, "2974b9d3"), efficientnet_b5=(10.266, "281af15a"),
    efficientnet_b6=(19.068, "c32e05b4"), efficientnet_b7=(37.746, "3d2a7737"), googlenet=(1.498, "7f541ca2"),
    inception_v3=(5.713, "aab0ac2c"), mc3_18=(43.343, "30a27048"), mnasnet0_5=(0.104, "1ed44e7f"),
    mnasnet0_75=(0.215, "93d711f5"), mnasnet1_0=(0.314, "c26097f3"), mnasnet1_3=(0.526, "9ce90280"),
    mobilenet_v2=(0.301, "37bbbce8"), r2plus1d_18=(40.519, "e0958f83"), r3d_18=(40.697, "6fd88b43"),
    regnet_x_16gf=(15.941, "be447a28"), regnet_x_1_6gf=(1.603, "c1a260a7"), regnet_x_32gf=(31.736, "7ae1b5bc"),
    regnet_x_3_2gf=(3.177, "f892a07a"), regnet_x_400mf=(0.414, "a6201467"), regnet_x_800mf=(0.8, "586dc3c8"),
    regnet_x_8gf=(7.995, "fccf9ea8"), regnet_y_128gf=(None, "b5f662e2"), regnet_y_16gf=(15.912, "75477b95"),
    regnet_y_1_6gf=(1.612, "ed96623b"), regnet_y_32gf=(32.28, "650dda49"), regnet_y_3_2gf=(3.176, "c9e6bcc1"),
    regnet_y_400mf=(0.402, "f09a9d43"), regnet_y_800mf=(0.834, "f231872c"), regnet_y_8gf=(8.473, "5397113d"),
    resnet101=(7.801, "02c0f34f"), resnet152=(11.514, "685c6620"), resnet18=(1.814, "84fb10d9"),
    resnet34=(3.664, "28f9096d"), resnet50=(4.089, "d7e4f8bb"), resnext101_32x8d=(16.414, "da7dd752"),
    resnext101_64x4d=(15.46, "90caac80"), resnext50_32x4d=(4.23, "e3bad165"), shufflenet_v2_x0_5=(0.04, "f0a5936e"),
    shufflenet_v2_x1_0=(0.145, "81b349bc"), shufflenet_v2_x1_5=(0.296, "506b4de3"), shufflenet_v2_x2_0=(0.583, "0c033bd0"),
    squeezenet1_0=(0.819, "4654d26a"), squeezenet1_1=(0.349, "1d365589"), swin_b=(15.431, "3c5548ae"),
    swin_s=(8.741, "ecfabc2a"), swin_t=(4.491, "02c436ac"), vgg11=(7.609, "cb3dc23f"), vgg11_bn=(7.609, "8b6717e7"),
    vgg13=(11.308, "67c1dc8b"), vgg13_bn=(11.308, "f6b0597d"), vgg16=(15.47, "35c4623e"), vgg16_bn=(15.47, "34737158"),
    vgg19=(19.632, "4723255a"), vgg19_bn=(19.632, "fc3ff6fa"), vit_b_16=(17.564, "b124b34d"), vit_b_32=(4.409, "f8bc3a1f"),
    vit_h_14=(None, "05e3d14d"), vit_l_16=(61.555, "0fd5127f"), vit_l_32=(15.378, "8b7397ee"),
    wide_resnet101_2=(22.753, "4f088c0a"), wide_resnet50_2=(11.398, "41203d1d"),
)


def number(cell):
    return int(cell.replace(",", ""))


def is_cheap(name):
    return name in MODEL_ROWS and number(MODEL_ROWS[name][2]) < 3e8 and number(MODEL_ROWS[name][1]) < 1e7


def by_cost(names):
    """Parameters of tests; what takes long is slow."""
    return [pytest.param(name, marks=[] if is_cheap(name) else pytest.mark.slow) for name in names]


# ---- every model ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", by_cost(models.list_models()))
def test_the_page_says_what_the_code_says(name):
    assert MODEL_ROWS[name] == [f"`{name}`", *zoo.counts(name)]


@pytest.mark.parametrize("name", by_cost(models.list_models()))
def test_the_command_shows_the_model_at_its_own_size(name, capsys):
    assert main(["summary", name, "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert [table["parameters"], table["multiply_adds"]] == [*map(number, MODEL_ROWS[name][1:3])]


@pytest.mark.parametrize("name", by_cost(models.list_models()))
def test_one_example_gives_finite_answers(name):
    inputs = [randn_like(x) if x.is_floating_point() else x for x in models.example_inputs(name)]
    with no_grad():
        y = models.get_model(name).eval()(*inputs)
    outputs = [*y.values()] if isinstance(y, dict) else y if isinstance(y, tuple) else [y]
    assert all(part.shape[0] == 1 and np.isfinite(part.array).all() for part in outputs if hasattr(part, "array"))


def test_builders_can_be_pickled_and_say_where_they_are_defined():
    for name in models.list_models():
        builder = getattr(models, name)
        assert pickle.loads(pickle.dumps(builder)) is builder
    assert models.se_resnet18.__module__.endswith("attention_resnet")


def test_examples_have_the_batch_and_the_kind_that_the_model_wants():
    picture, text = models.example_inputs("clip_vit_b_32", 2)
    assert picture.shape == (2, 3, 224, 224) and picture.dtype == "float32"
    assert text.shape == (2, 77) and text.dtype == "int64"
    assert [x.shape for x in models.example_inputs("cifar_vit")] == [(1, 3, 32, 32)]
    with pytest.raises(ValueError, match="example_inputs: name must be one of .*'resnet19'; did you mean 'resnet18'"):
        models.example_inputs("resnet19")


def test_a_size_for_one_input_does_not_fit_two(capsys):
    assert main(["summary", "two_stream", "--input-size", "3x64x64"]) == 1
    assert "two_stream has 2" in capsys.readouterr().err


# ---- families ------------------------------------------------------------------------------------------------------------

def test_every_model_belongs_to_one_family():
    names = models.list_models()
    members = [name for family in FAMILIES for name in family.members(names)]
    assert sorted(members) == names
    assert all(family.model in family.members(names) for family in FAMILIES)


def test_every_family_takes_a_training_step_in_some_test():
    trained = {*test_models.SMALL, *test_models.DENSE, *test_transformer_models.SMALL,
               "inception_v3", "detr_small", "clip_small", "dino_small", "vatt_small"}
    assert [f.title for f in FAMILIES if not trained & {*f.members(models.list_models())}] == []


def test_the_page_has_a_row_for_each_family_and_each_model():
    assert [*FAMILY_ROWS] == [family.model for family in FAMILIES] and [*MODEL_ROWS] == models.list_models()
    for family in FAMILIES:
        cells = FAMILY_ROWS[family.model]
        assert cells[:-1] == zoo.family_row(family, MODEL_ROWS[family.model][1:], "")[:-1]
        assert (zoo.PAGE.parent / cells[0].split("(")[-1].rstrip(")")).is_file()


def test_the_command_writes_between_its_markers_and_keeps_the_times_of_others(tmp_path, monkeypatch):
    page = tmp_path / "README.md"
    page.write_text(f"before\n\n{zoo.BEGIN}\n{zoo.END}\n\nafter\n")
    monkeypatch.setattr(models, "list_models", lambda: ["lenet5", "lenet5_original", "cifar_vit"])
    monkeypatch.setattr(zoo, "FAMILIES", [f for f in FAMILIES if f.title == "LeNet-5"])
    zoo.main(["--counts", "--page", str(page)])
    text = page.read_text()
    assert text.startswith("before") and text.endswith("after\n") and zoo.read(text)[0]["lenet5_original"][-1] == ""
    assert [*zoo.read(text)[1]] == ["cifar_vit", "lenet5", "lenet5_original"]
    zoo.main(["--page", str(page)])
    timed, counted, note = zoo.read(page.read_text())
    assert float(timed["lenet5_original"][-1]) > 0 and note.startswith("Times: ") and note.endswith("threads.")
    zoo.main(["--counts", "--page", str(page)])
    assert zoo.read(page.read_text()) == (timed, counted, note)


# ---- torchvision ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", TORCHVISION)
def test_weights_have_the_names_shapes_and_order_of_torchvision(name):
    state = nn.utils.skip_init(models.get_model, name).state_dict()
    text = "\n".join(f"{key} {tuple(value.shape)}" for key, value in state.items())
    assert hashlib.sha256(text.encode()).hexdigest()[:8] == TORCHVISION[name][1]


@pytest.mark.parametrize("name", [name for name, (billions, _) in TORCHVISION.items() if billions])
def test_multiply_adds_are_those_of_torchvision(name):
    assert abs(number(MODEL_ROWS[name][2]) / 1e9 - TORCHVISION[name][0]) < 0.0006
