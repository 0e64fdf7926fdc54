"""Boxes and pictures in files: by hand, by finite differences, and as torchvision has them where it is installed."""
import numpy as np
import pytest

import tinycnn
from tinycnn.vision import io, ops


@pytest.fixture
def torchvision():
    try:
        return pytest.importorskip("torchvision")
    except RuntimeError:  # as it says where it was built for another PyTorch
        pytest.skip("torchvision does not fit the PyTorch that is installed")


def boxes(count, size=20, seed=0):
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, size, (count, 2))
    return np.concatenate([corners, corners + rng.uniform(1, size / 2, (count, 2))], 1).astype(np.float32)


# ---- boxes -----------------------------------------------------------------------------------------------------------

def test_boxes_by_hand():
    a, b = tinycnn.tensor([[0.0, 0, 4, 2]]), tinycnn.tensor([[2.0, 0, 6, 2], [10, 10, 11, 11]])
    assert ops.box_area(a).tolist() == [8]
    assert ops.box_iou(a, b).tolist() == [[pytest.approx(4 / 12), 0]]
    assert ops.box_convert(a, "xyxy", "cxcywh").tolist() == [[2, 1, 4, 2]]
    assert ops.box_convert(b, "xywh", "xyxy").tolist() == [[2, 0, 8, 2], [10, 10, 21, 21]]
    assert ops.clip_boxes_to_image(b, (5, 3)).tolist() == [[2, 0, 3, 2], [3, 5, 3, 5]]
    assert ops.remove_small_boxes(b, 2).tolist() == [0]
    mask = tinycnn.zeros(1, 5, 6)
    mask[0, 1:3, 2:6] = 1
    assert ops.masks_to_boxes(mask).tolist() == [[2, 1, 5, 2]]


def test_of_boxes_that_show_the_same_the_best_remains():
    b = tinycnn.tensor([[0.0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10], [0, 0, 10, 5]])
    scores = tinycnn.tensor([0.5, 0.9, 0.4, 0.6])
    assert ops.nms(b, scores, 0.5).tolist() == [1, 3, 2], "the box 1 covers 9/11 of box 0, 9/21 of box 3"
    assert ops.nms(b, scores, 0.4).tolist() == [1, 2]
    assert ops.batched_nms(b, scores, tinycnn.tensor([0, 1, 0, 0]), 0.4).tolist() == [1, 3, 2]
    assert ops.nms(b[:0], scores[:0], 0.5).shape == (0,)


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.7])
def test_boxes_are_torchvisions(torchvision, threshold):
    torch, theirs = pytest.importorskip("torch"), torchvision.ops
    a, b = boxes(60), boxes(25, seed=1)
    scores, classes = np.random.default_rng(2).random(60).round(1).astype("f4"), np.arange(60) % 3
    np.testing.assert_allclose(ops.box_iou(tinycnn.tensor(a), tinycnn.tensor(b)).numpy(),
                               theirs.box_iou(torch.tensor(a), torch.tensor(b)), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(ops.generalized_box_iou(tinycnn.tensor(a), tinycnn.tensor(b)).numpy(),
                               theirs.generalized_box_iou(torch.tensor(a), torch.tensor(b)), rtol=1e-5, atol=1e-6)
    ours = ops.nms(tinycnn.tensor(a), tinycnn.tensor(scores), threshold)
    assert ours.tolist() == theirs.nms(torch.tensor(a), torch.tensor(scores), threshold).tolist()
    ours = ops.batched_nms(tinycnn.tensor(a), tinycnn.tensor(scores), tinycnn.tensor(classes), threshold)
    assert ours.tolist() == theirs.batched_nms(torch.tensor(a), torch.tensor(scores), torch.tensor(classes),
                                               threshold).tolist()
    for start in "xyxy", "xywh", "cxcywh":
        for end in "xyxy", "xywh", "cxcywh":
            np.testing.assert_allclose(ops.box_convert(tinycnn.tensor(a), start, end).numpy(),
                                       theirs.box_convert(torch.tensor(a), start, end), atol=1e-5)


# ---- with gradients --------------------------------------------------------------------------------------------------

ROIS = np.array([[0, 0.0, 0, 8, 8], [1, 2.5, 1.25, 7, 9.5], [1, -3, -3, 2, 2.2], [0, 12, 9, 30, 40], [0, 5, 5, 5.2, 5.1],
                 [1, 40, 40, 50, 50], [0, 6, 6, 4, 4]])


@pytest.mark.parametrize("options", [
    dict(output_size=3), dict(output_size=(2, 4), spatial_scale=0.5), dict(output_size=2, sampling_ratio=2),
    dict(output_size=3, aligned=True), dict(output_size=2, spatial_scale=0.25, sampling_ratio=3, aligned=True)])
def test_roi_align_is_torchvisions_gradient_included(torchvision, options):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).standard_normal((2, 3, 12, 10))
    ours, theirs = tinycnn.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y = ops.roi_align(ours, tinycnn.tensor(ROIS), **options)
    z = torchvision.ops.roi_align(theirs, torch.tensor(ROIS), **options)
    np.testing.assert_allclose(y.detach().numpy(), z.detach(), atol=1e-10)
    dy = np.random.default_rng(1).standard_normal(z.shape)
    y.backward(tinycnn.tensor(dy))
    z.backward(torch.tensor(dy))
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad, atol=1e-10)


def test_roi_align_by_hand_and_by_finite_differences():
    x = tinycnn.arange(36.0).reshape(1, 1, 6, 6)
    whole = ops.roi_align(x, [tinycnn.tensor([[1.0, 1, 3, 3]])], 1, sampling_ratio=1)
    assert whole.tolist() == [[[[14]]]], "the point in the middle of the box, row 2, column 2"
    assert ops.RoIAlign(2, 1.0, -1)(x, tinycnn.zeros(0, 5)).shape == (0, 1, 2, 2)
    tinycnn.manual_seed(0)
    rois = tinycnn.tensor(ROIS)
    assert tinycnn.gradcheck(lambda x: ops.roi_align(x, rois, (2, 3), 0.5), tinycnn.randn(2, 2, 6, 5, dtype="float64"))


def scores_and_targets():
    rng = np.random.default_rng(0)
    return rng.standard_normal((4, 5)) * 3, rng.integers(0, 2, (4, 5)).astype(float)


def test_focal_loss_by_finite_differences():
    x, t = scores_and_targets()
    assert tinycnn.gradcheck(lambda x: ops.sigmoid_focal_loss(x, tinycnn.tensor(t, dtype=x.dtype)), tinycnn.tensor(x))


def test_focal_loss_is_torchvisions_gradient_included(torchvision):
    torch = pytest.importorskip("torch")
    x, t = scores_and_targets()
    for options in {}, dict(alpha=-1, gamma=0.5, reduction="mean"), dict(alpha=0.6, reduction="sum"):
        ours, theirs = tinycnn.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
        y = ops.sigmoid_focal_loss(ours, tinycnn.tensor(t), **options)
        z = torchvision.ops.sigmoid_focal_loss(theirs, torch.tensor(t), **options)
        np.testing.assert_allclose(y.detach().numpy(), z.detach(), rtol=1e-12)
        y.sum().backward(), z.sum().backward()
        np.testing.assert_allclose(ours.grad.numpy(), theirs.grad, rtol=1e-10)


def test_the_derivation_of_the_focal_loss():
    x = tinycnn.tensor([-2.0, 0.5, 3.0], dtype="float64", requires_grad=True)
    t = tinycnn.tensor([1.0, 0, 1], dtype="float64")
    ops.sigmoid_focal_loss(x, t, alpha=0.25, gamma=2.0).sum().backward()
    p, s, a = 1 / (1 + np.exp(-x.detach().numpy())), np.array([1, -1, 1]), np.array([0.25, 0.75, 0.25])
    q = np.where(s > 0, p, 1 - p)
    np.testing.assert_allclose(x.grad.numpy(), a * s * (1 - q) ** 2 * (2 * q * np.log(q) - (1 - q)), rtol=1e-12)


@pytest.mark.parametrize("call, error, text", [
    (lambda: ops.nms(tinycnn.zeros(3, 5), tinycnn.zeros(3), 0.5), ValueError, r"nms: boxes must be boxes \(N, 4\), got"),
    (lambda: ops.nms(tinycnn.zeros(3, 4), tinycnn.zeros(2), 0.5), ValueError, r"nms: scores must have shape \(3,\)"),
    (lambda: ops.box_convert(tinycnn.zeros(3, 4), "xyxy", "yxyx"), ValueError, "out_fmt must be .*'yxyx'"),
    (lambda: ops.roi_align(tinycnn.zeros(1, 1, 4, 4), tinycnn.ones(1, 5), 2), ValueError, "name pictures 1"),
    (lambda: ops.roi_align(tinycnn.zeros(2, 1, 4, 4), [tinycnn.zeros(1, 4)], 2), ValueError, "a list of 2 tensors"),
    (lambda: ops.sigmoid_focal_loss(tinycnn.zeros(2), tinycnn.zeros(3)), ValueError, "one shape"),
    (lambda: ops.sigmoid_focal_loss(tinycnn.zeros(2), tinycnn.zeros(2), reduction="max"), ValueError, "reduction.*'max'"),
    (lambda: io.encode_png(tinycnn.zeros(3, 2, 2)), ValueError, r"of uint8, got shape \(3, 2, 2\) of float32"),
    (lambda: io.encode_jpeg(tinycnn.zeros(3, 2, 2).to("uint8"), 0), ValueError, "quality must be from 1 to 100, got 0"),
    (lambda: io.decode_image(tinycnn.zeros(9).to("uint8")), ValueError, "decode_image: input holds no picture")])
def test_what_makes_no_sense_is_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()


# ---- pictures in files -----------------------------------------------------------------------------------------------

def picture(channels, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (channels, 9, 12), np.uint8)


def test_a_picture_written_is_read_again(tmp_path):
    for channels in 1, 3:
        x = tinycnn.tensor(picture(channels))
        io.write_png(x, tmp_path / "x.png")
        assert (io.read_image(str(tmp_path / "x.png")) == x).all() and io.read_image(tmp_path / "x.png").dtype == np.uint8
        assert (io.decode_image(io.read_file(tmp_path / "x.png")) == x).all()
        assert io.read_image(tmp_path / "x.png", io.ImageReadMode.RGB_ALPHA).shape == (4, 9, 12)
        assert io.read_image(tmp_path / "x.png", mode="GRAY").shape == (1, 9, 12)
    io.write_jpeg(tinycnn.full((3, 9, 12), 77, dtype="uint8"), tmp_path / "x.jpg", quality=95)
    assert (io.read_image(tmp_path / "x.jpg").float() - 77).abs().max() <= 2
    with pytest.raises(FileNotFoundError):
        io.read_image(tmp_path / "missing.png")


def test_pictures_are_read_as_torchvision_reads_them(torchvision, tmp_path):
    from PIL import Image
    theirs = torchvision.io
    Image.fromarray(picture(3).transpose(1, 2, 0)).save(tmp_path / "rgb.png")
    Image.fromarray(picture(4).transpose(1, 2, 0)).save(tmp_path / "rgba.png")
    Image.fromarray(picture(1)[0]).save(tmp_path / "grey.png")
    Image.fromarray(picture(3).transpose(1, 2, 0)).quantize(16).save(tmp_path / "palette.png")
    Image.fromarray(picture(1)[0].astype(np.uint16) * 200).save(tmp_path / "deep.png")
    for path in sorted(tmp_path.iterdir()):
        for mode in {"deep": ["UNCHANGED"], "palette": ["RGB"]}.get(path.stem, ["UNCHANGED", "RGB"]):
            ours = io.read_image(path, mode).numpy()
            wanted = theirs.read_image(str(path), theirs.ImageReadMode[mode]).numpy()
            assert ours.dtype == wanted.dtype and np.array_equal(ours, wanted), (path.name, mode)
