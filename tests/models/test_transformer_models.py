"""Transformers and their kin: published numbers of weights, a gradient step of each, and what they refuse."""
import itertools

import numpy as np
import pytest

import tinycnn
from tinycnn import models, nn


def count(model):
    return sum(p.numel() for p in model.parameters())


# at 1,000 classes, as torchvision, timm or the authors state them
PUBLISHED = dict(
    vit_b_16=86_567_656, vit_b_32=88_224_232, vit_l_16=304_326_632, vit_l_32=306_535_400, vit_h_14=632_045_800,
    vit_tiny=5_717_416, vit_small=22_050_664,
    deit_tiny_distilled=5_910_800, deit_small_distilled=22_436_432, deit_base_distilled=87_338_192,
    swin_t=28_288_354, swin_s=49_606_258, swin_b=87_768_224,
    mixer_s_32=19_104_624, mixer_s_16=18_528_264, mixer_b_32=60_293_428, mixer_b_16=59_880_472, mixer_l_32=206_939_264,
    mixer_l_16=208_196_168, convmixer_1536_20=51_625_960, convmixer_1024_20=24_383_464, convmixer_768_32=21_110_248,
    cvt_13=19_997_480, cvt_21=31_622_696, detr_resnet50=41_524_768,
    clip_vit_b_32=151_277_313, clip_vit_b_16=149_620_737,
)


@pytest.mark.parametrize("name, expected", PUBLISHED.items(), ids=PUBLISHED)
def test_number_of_weights_is_the_published_one(name, expected):
    assert count(nn.utils.skip_init(models.get_model, name)) == expected


@pytest.mark.parametrize("name, options, millions", [
    ("perceiver", {}, 44.9), ("timesformer", dict(num_classes=174), 121.4),
    ("timesformer", dict(num_classes=174, attention_type="space_only"), 85.9)])
def test_number_of_weights_rounds_to_the_published_one(name, options, millions):
    assert round(count(nn.utils.skip_init(models.get_model, name, **options)) / 1e6, 1) == millions


@pytest.fixture(autouse=True)
def seeded():
    tinycnn.manual_seed(0)


def pictures(*shape):
    return tinycnn.tensor(np.random.default_rng(0).standard_normal(shape), dtype="float32")


# name: (shape of the pictures, options)
SMALL = dict(
    cifar_vit=((3, 8, 8), dict(image_size=8)), mnist_vit=((1, 28, 28), {}), cifar_deit=((3, 8, 8), dict(image_size=8)),
    cifar_swin=((3, 17, 20), {}), cifar_mixer=((3, 8, 8), dict(image_size=8)), cifar_convmixer=((3, 8, 9), {}),
    cifar_dpt=((3, 17, 20), {}), cifar_cvt=((3, 17, 20), {}), cifar_perceiver=((3, 5, 6), {}),
    timesformer_small=((3, 3, 8, 8), dict(image_size=8, patch_size=4, num_frames=3)),
)

UNUSED = ("stage2.blocks.2.attn.conv_proj_q",)  # only the class token's query counts in the last block, and is not convolved


def small(name):
    shape, options = SMALL[name]
    return models.get_model(name, **{"num_classes": 5, **options}), shape


@pytest.mark.parametrize("name", SMALL)
def test_a_gradient_step_reaches_every_weight(name):
    model, shape = small(name)
    for p in model.parameters():
        if not p.array.any():  # a last layer of zeros lets nothing through in the first step
            nn.init.normal_(p, std=0.1)
    y = model(pictures(4, *shape))
    target = tinycnn.tensor([0, 1, 2, 3])
    sum(nn.functional.cross_entropy(part, target) for part in (y if isinstance(y, tuple) else (y,))).backward()
    assert all(np.isfinite(p.grad.array).all() for p in model.parameters())
    idle = [key for key, p in model.named_parameters() if not p.grad.array.any()]
    assert [key for key in idle if not key.startswith(UNUSED)] == []
    tinycnn.optim.SGD(model.parameters(), 1e-3).step()
    assert all(p.dtype == "float32" and np.isfinite(p.array).all() for p in model.parameters())


@pytest.mark.parametrize("name", SMALL)
def test_one_picture_in_evaluation(name):
    model, shape = small(name)
    with tinycnn.no_grad():
        y = model.eval()(pictures(1, *shape))
    assert y.shape == (1, 5) and y.dtype == "float32" and np.isfinite(y.array).all()


@pytest.mark.parametrize("name", SMALL)
def test_no_pictures_have_no_scores(name):
    model, shape = small(name)
    assert model.eval()(pictures(0, *shape)).shape == (0, 5)


@pytest.mark.parametrize("name", ["cifar_vit", "cifar_deit", "cifar_mixer"])
def test_another_size_is_refused_with_the_size_that_works(name):
    model, _ = small(name)
    with pytest.raises(ValueError, match=r"pictures \(N, 3, 8, 8\), got shape \(2, 3, 8, 9\)"):
        model(pictures(2, 3, 8, 9))
    with pytest.raises(ValueError, match=r"pictures \(N, 3, 8, 8\), got shape \(2, 1, 8, 8\)"):
        model(pictures(2, 1, 8, 8))
    with pytest.raises(ValueError, match="image_size must be a multiple of patch_size, got 30 and 4"):
        models.get_model(name, image_size=30)


@pytest.mark.parametrize("name", ["cifar_swin", "cifar_convmixer"])
def test_networks_of_windows_take_any_size_from_one_patch_on(name):
    model = models.get_model(name, num_classes=3).eval()
    assert model(pictures(1, 3, 2, 11)).shape == (1, 3)
    with pytest.raises(ValueError, match=r"at least 2x2 pixels, got shape \(1, 3, 5, 1\)"):
        model(pictures(1, 3, 5, 1))


@pytest.mark.parametrize("call, words", [
    (lambda: models.cifar_vit(positions="none"), "positions must be 'learned' or 'sine', got 'none'"),
    (lambda: models.sine_positions(2, 2, 6), "dim must be a multiple of 4, got 6"),
    (lambda: models.interpolate_embeddings(8, 4, {"encoder.pos_embedding": tinycnn.zeros(1, 8, 4)}), r"got \(1, 8, 4\)"),
    (lambda: models.SwinTransformer([4, 4], 10, [1], [3], [7, 7]), "multiple of num_heads, got 10 and 3"),
    (lambda: models.distillation_loss(tinycnn.zeros(2, 3), None, None), "must be the pair.*got Tensor"),
    (lambda: models.distillation_loss((1, 2), None, None, "warm"), "'hard' or 'soft', got 'warm'")])
def test_what_cannot_work_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_perceiver_and_cvt_take_any_size():
    for name, least in (("cifar_perceiver", 1), ("cifar_cvt", 1)):
        assert models.get_model(name, num_classes=3).eval()(pictures(1, 3, least, 7)).shape == (1, 3)
    with pytest.raises(ValueError, match=r"at least 3x3 pixels, got shape \(1, 3, 2, 9\)"):
        models.cvt_13(num_classes=3)(pictures(1, 3, 2, 9))
    with pytest.raises(ValueError, match=r"\(N, 3, \*S\) with 2 axes.*got shape \(1, 1, 4, 4\)"):
        models.cifar_perceiver()(pictures(1, 1, 4, 4))


def test_video_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"video \(N, 3, 8, 32, 32\), got shape \(1, 3, 7, 32, 32\)"):
        models.timesformer_small()(pictures(1, 3, 7, 32, 32))
    with pytest.raises(ValueError, match="attention_type must be one of divided_space_time.*got 'time_only'"):
        models.timesformer_small(attention_type="time_only")


# ---- what makes a family special ---------------------------------------------------------------------------------------

def test_attention_maps_are_shares():
    model, shape = small("cifar_vit")
    y, maps = model.eval()(pictures(2, *shape), need_weights=True)
    assert np.array_equal(y.shape, (2, 5)) and [m.shape for m in maps] == [(2, 4, 5, 5)] * 6
    assert all(np.allclose(m.sum(-1).array, 1, atol=1e-5) and (m.array >= 0).all() for m in maps)
    np.testing.assert_allclose(y.array, model(pictures(2, *shape)).array, atol=1e-5)


def test_vit_sees_a_set_of_patches_if_it_has_no_positions():
    model = models.VisionTransformer(8, 4, 2, 2, 8, 16, num_classes=3).eval()
    nn.init.normal_(model.heads.head.weight)
    x = pictures(1, 3, 8, 8)
    swapped = tinycnn.cat([x[..., 4:], x[..., :4]], -1)
    assert not np.allclose(model(x).array, model(swapped).array, atol=1e-4)
    nn.init.zeros_(model.encoder.pos_embedding)
    np.testing.assert_allclose(model(x).array, model(swapped).array, atol=1e-5)


def test_sine_positions_are_no_weights_but_are_saved():
    model = models.cifar_vit(positions="sine")
    assert "encoder.pos_embedding" in model.state_dict() and "encoder.pos_embedding" not in dict(model.named_parameters())
    table = model.encoder.pos_embedding.array[0, 1:]
    products = (table @ table.T).reshape(8, 8, 8, 8)
    np.testing.assert_allclose(products[0, 0, 1, 2], products[3, 4, 4, 6], rtol=1e-5)  # only the difference matters
    assert products[0, 0, 0, 0] > products[0, 0, 0, 1] > products[0, 0, 0, 2]


def test_vit_with_a_stem_of_convolutions():
    stem = [models.ConvStemConfig(4, 3, 2), models.ConvStemConfig(6, 3, 2)]
    model = models.VisionTransformer(8, 4, 1, 2, 8, 16, num_classes=3, conv_stem_configs=stem)
    assert {"conv_proj.conv_bn_relu_0.0.weight", "conv_proj.conv_bn_relu_1.1.bias", "conv_proj.conv_last.weight"} <= {
        *model.state_dict()}
    assert model(pictures(2, 3, 8, 8)).shape == (2, 3)


def test_weights_under_the_names_of_the_authors_are_read():
    ours = models.cifar_deit().state_dict()
    assert "encoder.layers.encoder_layer_5.self_attention.in_proj_bias" in ours
    theirs = {"blocks.5.attn.qkv.bias": "encoder.layers.encoder_layer_5.self_attention.in_proj_bias",
              "blocks.0.attn.proj.weight": "encoder.layers.encoder_layer_0.self_attention.out_proj.weight",
              "blocks.11.norm2.bias": "encoder.layers.encoder_layer_11.ln_2.bias",
              "blocks.1.mlp.fc2.weight": "encoder.layers.encoder_layer_1.mlp.3.weight", "cls_token": "class_token",
              "dist_token": "distillation_token", "pos_embed": "encoder.pos_embedding", "norm.weight": "encoder.ln.weight",
              "patch_embed.proj.bias": "conv_proj.bias", "head.weight": "heads.head.weight",
              "head_dist.bias": "head_distillation.bias"}
    assert {key: models.vit.rename(key) for key in theirs} == theirs
    assert all(models.vit.rename(key) == key for key in ours)


def test_distilled_transformer_answers_with_the_mean_of_its_two_tokens():
    model, shape = small("cifar_deit")
    x = pictures(2, *shape)
    a, b = model(x)
    assert not np.allclose(a.array, b.array)
    np.testing.assert_allclose(model.eval()(x).array, (a.array + b.array) / 2, atol=1e-6)


def test_the_teacher_learns_nothing():
    model, shape = small("cifar_deit")
    teacher = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(int(np.prod(shape)), 5))
    loss = models.DistillationLoss(teacher, "soft", tau=2.0).train()
    assert not teacher.training
    x = pictures(2, *shape)
    loss(x, model(x), tinycnn.tensor([1, 2])).backward()
    assert teacher[2].weight.grad is None and model.head_distillation.weight.grad.array.any()


def test_pixels_meet_through_shifted_windows_only():
    """A change at one corner reaches only its window, and beyond it once windows shift."""
    def reached(shift):
        layer = models.ShiftedWindowAttention(4, [2, 2], shift, 2)
        x = pictures(1, 4, 4, 4)
        change = x.clone()
        change[0, 1, 1] += 1
        return (layer(x).array != layer(change).array).any(-1)[0]
    expected = np.zeros((4, 4), bool)
    expected[:2, :2] = True
    assert np.array_equal(reached([0, 0]), expected)
    expected = np.zeros((4, 4), bool)
    expected[1:3, 1:3] = True
    assert np.array_equal(reached([1, 1]), expected)


def test_mask_keeps_apart_what_only_wrapping_brought_together():
    mask = models.swin.shift_mask(4, 4, [2, 2], [1, 1], tinycnn.zeros(1)).array
    assert mask.shape == (4, 4, 4) and mask.dtype == "float32"
    assert not mask[0].any(), "the first window lies inside the picture"
    assert np.array_equal(mask[3] == 0, np.eye(4, dtype=bool)), "the last holds the four corners"


def test_windows_come_apart_and_together_again():
    x = pictures(2, 6, 4, 3)
    parts = models.swin.split_windows(x, 3, 2)
    assert parts.shape == (2, 4, 6, 3) and np.array_equal(parts.array[1, 1].reshape(3, 2, 3), x.array[1, :3, 2:])
    assert np.array_equal(models.swin.join_windows(parts, 3, 2, 6, 4).array, x.array)


# ---- detection -----------------------------------------------------------------------------------------------------------

def test_detr_learns_to_find_boxes():
    model = models.detr_small(num_classes=2, num_queries=3, dropout=0.0, aux_loss=True)
    criterion = models.SetCriterion(2)
    x = pictures(2, 3, 24, 32)
    targets = [dict(labels=tinycnn.tensor([1, 0]), boxes=tinycnn.tensor([[0.3, 0.3, 0.2, 0.4], [0.7, 0.6, 0.3, 0.3]])),
               dict(labels=tinycnn.tensor([], dtype="int64"), boxes=tinycnn.zeros(0, 4))]
    optimizer = tinycnn.optim.AdamW(model.parameters(), 2e-3)
    history = []
    for _ in range(8):
        losses = criterion(model(x), targets)
        assert {*losses} == {f"loss_{kind}{layer}" for kind in ("ce", "bbox", "giou") for layer in ("", "_0")}
        total = criterion.total(losses)
        optimizer.zero_grad()
        total.backward()
        if not history:
            assert all(np.isfinite(p.grad.array).all() for p in model.parameters())
            idle = [key for key, p in model.named_parameters() if not p.grad.array.any()]
            first = "transformer.decoder.layers.0."  # whose queries start as zeros
            assert {*idle} <= {first + key for key in ("self_attn.in_proj_weight", "self_attn.out_proj.weight",
                                                       "norm1.weight")}
        optimizer.step()
        history.append(total.item())
    assert history[-1] < 0.8 * history[0]


def test_what_detr_found_in_pixels():
    outputs = dict(pred_logits=tinycnn.tensor([[[2.0, 0, 9], [0, 3, 0]]]),
                   pred_boxes=tinycnn.tensor([[[0.5, 0.5, 1, 1], [0.25, 0.5, 0.5, 0.2]]]))
    found, = models.post_process(outputs, tinycnn.tensor([[10, 20]]))
    assert found["labels"].array.tolist() == [0, 1] and found["scores"].array[0] < 0.01 < 0.9 < found["scores"].array[1]
    np.testing.assert_allclose(found["boxes"].array, [[0, 0, 20, 10], [0, 4, 10, 6]], atol=1e-5)


def test_overlap_of_boxes():
    a = tinycnn.tensor([[0.0, 0, 2, 2], [0, 0, 1, 1]])
    b = tinycnn.tensor([[0.0, 0, 2, 2], [1, 1, 3, 3], [2, 0, 3, 1]])
    expected = [[1, 1 / 7 - 2 / 9, 0 - 1 / 6], [1 / 4, 0 - 4 / 9, 0 - 1 / 3]]
    np.testing.assert_allclose(models.generalized_box_iou(a, b).array, expected, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (2, 5), (5, 2), (4, 6), (0, 3), (3, 0)])
@pytest.mark.parametrize("ties", [False, True])
def test_matching_is_the_cheapest_of_all(shape, ties):
    rng = np.random.default_rng(0)
    for _ in range(20):
        cost = rng.integers(0, 4, shape).astype(float) if ties else rng.standard_normal(shape)
        rows, columns = models.linear_sum_assignment(cost)
        small, large = sorted(shape)
        table = cost if shape[0] <= shape[1] else cost.T
        best = min(sum(table[i, j] for i, j in enumerate(chosen))
                   for chosen in itertools.permutations(range(large), small))
        assert len(rows) == len({*rows}) == len({*columns}) == small and [*rows] == sorted(rows)
        assert abs(cost[rows, columns].sum() - best) < 1e-12


@pytest.mark.parametrize("call, words", [
    (lambda: models.linear_sum_assignment([[1.0, float("nan")]]), r"finite.*\(1, 2\)"),
    (lambda: models.linear_sum_assignment([1.0]), r"\(N, M\), got shape \(1,\)"),
    (lambda: models.detr_small(hidden_dim=30), "multiple of 4, got 30"),
    (lambda: models.detr_small()(pictures(1, 3, 16, 16), tinycnn.zeros(1, 4, 4, dtype="bool")),
     r"\(1, 3, 16, 16\), got \(1, 4, 4\)"),
    (lambda: models.detr_small()(pictures(3, 16, 16)), r"got shape \(3, 16, 16\)"),
    (lambda: models.SetCriterion(3)(dict(pred_logits=tinycnn.zeros(2, 1, 4), pred_boxes=tinycnn.ones(2, 1, 4)), [{}]),
     "got 2 and 1")])
def test_detection_refuses_what_does_not_fit(call, words):
    with pytest.raises(ValueError, match=words):
        call()


# ---- learning from pairs and from nothing --------------------------------------------------------------------------------

def step(model, loss, idle=()):
    loss.backward()
    for key, p in model.named_parameters():
        if p.requires_grad:
            assert np.isfinite(p.grad.array).all() and (p.grad.array.any() or key.startswith(idle)), key
    tinycnn.optim.SGD([p for p in model.parameters() if p.requires_grad], 1e-3).step()


def test_clip_learns_pairs_and_classifies_by_words():
    model = models.clip_small(image_resolution=8, vision_patch_size=4)
    x, names = pictures(3, 3, 8, 8), ["a cat", "a dog", "ein Käfer"]
    text = models.tokenize(names, 32)
    images, texts = model(x, text)
    assert images.shape == texts.shape == (3, 3) and np.array_equal(images.array, texts.array.T)
    step(model, models.contrastive_loss(images, texts))
    optimizer = tinycnn.optim.AdamW(model.parameters(), 2e-3)
    for _ in range(25):
        optimizer.zero_grad()
        models.contrastive_loss(*model(x, text)).backward()
        optimizer.step()
    weights = models.zero_shot_weights(model, names, ["{}"])
    p = models.zero_shot_classify(model, x, weights)
    assert p.argmax(1).array.tolist() == [0, 1, 2] and np.allclose(p.sum(1).array, 1) and not p.requires_grad


def test_texts_are_read_up_to_their_end():
    model = models.clip_small().eval()
    text = models.tokenize(["ab", "abc"], 32)
    assert text.array[0, :5].tolist() == [256, 97, 98, 257, 0]
    changed = text.clone()
    changed[:, 10:] = 7
    assert np.array_equal(model.encode_text(text).array, model.encode_text(changed).array)
    with pytest.raises(ValueError, match="at most 2 bytes, got 3: 'abc'"):
        models.tokenize(["ab", "abc"], 4)


def test_dino_teaches_itself():
    model = models.dino_small(image_size=8)
    loss = models.DINOLoss(256)
    views = [pictures(2, 3, 8, 8) + 0.1 * i for i in range(4)]
    student, teacher = model(views)
    assert len(student) == 4 and len(teacher) == 2 and student[3].shape == (2, 256) and not teacher[0].requires_grad
    np.testing.assert_allclose(student[1].array, teacher[1].array, atol=1e-6)  # a copy, at first
    before = [p.array.copy() for p in model.teacher.parameters()]
    step(model, loss(student, teacher), idle="student.0.class_token")
    assert loss.center.array.any() and all(p.grad is None for p in model.teacher.parameters())
    model.update_teacher(0.75)
    for old, slow, fast in zip(before, model.teacher.parameters(), model.student.parameters()):
        np.testing.assert_allclose(slow.array, 0.75 * old + 0.25 * fast.array, atol=1e-6)
    assert model.eval()(views[0]).shape == (2, 64)
    with pytest.raises(ValueError, match="at least 2 views.*got Tensor"):
        model.train()(views[0])


def test_deformable_patches_start_as_the_grid_and_move():
    layer = models.DePatch(3, 8, 4)
    x = pictures(2, 3, 8, 12)
    y, where = layer(x)
    np.testing.assert_allclose(where.array[1, 1, 2], [10, 6, 2, 2])
    plain = nn.Conv2d(3, 8, 4, stride=4)
    plain.weight.array[...] = layer.proj.weight.array.reshape(8, 3, 4, 4)
    plain.bias.array[...] = layer.proj.bias.array
    np.testing.assert_allclose(y.array, plain(x).array, atol=1e-5)
    y.square().sum().backward()
    assert layer.predict[2].bias.grad.array.all()


def test_vatt_takes_a_step():
    model = models.vatt_small(num_layers=1, image_size=16, num_samples=256)
    text = tinycnn.tensor(np.random.default_rng(0).integers(0, 258, (3, 2, 16)))
    vectors = model(pictures(3, 3, 8, 16, 16), pictures(3, 256), text)
    assert [v.shape for v in vectors.values()] == [(3, 32), (3, 32), (3, 16), (3, 2, 16)]
    assert all(np.allclose(np.square(v.array).sum(-1), 1, atol=1e-5) for v in vectors.values())
    step(model, models.vatt_loss(vectors))
    with pytest.raises(ValueError, match=r"audio \(N, 256\).*\(3, 2, 16\)"):
        model(pictures(3, 3, 8, 16, 16), pictures(3, 255), text)
