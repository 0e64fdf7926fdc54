"""In-place operations and views: what is written, who sees it, and where the gradients go, as in PyTorch."""
import numpy as np
import pytest

from tests.helpers.compare import assert_same
import tinycnn

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
LIBRARIES = (tinycnn, torch)
pytestmark = pytest.mark.filterwarnings("ignore:index_reduce.. is in beta")

METHODS = """
    add_(2) | add_(y, alpha=3) | sub_(y) | mul_(y) | div_(y) | div_(0.3, rounding_mode="floor") | pow_(2) | neg_()
    abs_() | exp_() | exp2_() | expm1_() | log1p_() | sin_() | cos_() | tan_() | tanh_() | sigmoid_() | relu_()
    sqrt_() | rsqrt_() | square_() | reciprocal_() | floor_() | ceil_() | round_() | trunc_() | frac_() | sign_()
    sgn_() | clamp_(0.2, 0.6) | clamp_min_(0.3) | clamp_max_(0.3) | clip_(0.2, 0.5) | zero_() | fill_(3)
    fill_(t.tensor(2.5)) | copy_(y) | copy_(y[0]) | lerp_(y, 0.3) | addcmul_(y, y, value=2)
    addcdiv_(y, y + 1, value=0.5) | addmm_(y[:, :3], y) | addmm_(y[:, :3], y, beta=0.5) | masked_fill_(y > 0.5, -1)
    masked_scatter_(y > 0.5, y) | index_fill_(1, i, 2) | index_copy_(0, i, y[:2]) | index_add_(0, i, y[:2], alpha=2)
    index_put_((i, i), y[0, :2]) | index_put_((i, i * 0), y[0, :2], accumulate=True) | scatter_(1, y.argsort(1), y)
    scatter_(1, i[None].expand(3, 2), 9) | scatter_add_(0, y.argsort(0), y) | fill_diagonal_(7) | tril_() | triu_(1)
    cumsum_(0) | cumprod_(1) | atan2_(y) | hypot_(y) | fmod_(0.3) | remainder_(0.3) | nan_to_num_() | erf_() | erfc_()
    erfinv_() | asin_() | acos_() | atan_() | asinh_() | atanh_() | sinh_() | cosh_() | log_() | log2_() | log10_()
    logit_() | sinc_() | deg2rad_() | rad2deg_() | xlogy_(y) | copysign_(-1.0) | eq_(y) | gt_(y) | le_(0.5) | ne_(y)
    not_equal_(y) | less_(y) | less_equal_(y) | greater_(y) | greater_equal_(y) | heaviside_(y) | subtract_(y, alpha=2)
    multiply_(y) | divide_(y, rounding_mode="trunc") | true_divide_(2) | arctan2_(y) | negative_() | absolute_() | fix_()
    arcsin_() | arccos_() | arctan_() | arcsinh_() | arctanh_() | lgamma_() | digamma_() | renorm_(2, 0, 0.5) | ldexp_(y)
    scatter_reduce_(1, y.argsort(1), y, "amax") | index_reduce_(0, i, y[:2], "mean")
    lt_(y) | ge_(y) | logical_not_() | float_power_(2) | addr_(y[:, 0], y[0]) | addmv_(y[:, :3], y[:3, 0]) | t_()
    transpose_(0, 1) | unsqueeze_(1) | squeeze_() | swapaxes_(0, -1) | unsqueeze_(-1) | transpose_(-1, -2)
"""
METHODS = [call.strip() for line in METHODS.strip().splitlines() for call in line.split("|")]


def inputs(library, call):
    rng = np.random.default_rng(0)
    x = library.from_numpy(rng.uniform(0.1, 0.9, (3,) if call.startswith("addmv_") else (3, 4)))
    return x, library.from_numpy(rng.uniform(0.1, 0.9, (3, 4))), library.tensor([2, 0])


@pytest.mark.parametrize("call", METHODS)
def test_method_writes_into_the_tensor_and_returns_it(call):
    found = []
    for t in LIBRARIES:
        x, y, i = inputs(t, call)
        alias = x.view(-1)
        if call.startswith("addmm_"):
            x = x[:3]
        assert eval(f"x.{call}", {"x": x, "y": y, "i": i, "t": t}) is x
        found.append((x.numpy(), alias.numpy()))
    assert_same("x", found[0][0], found[1][0])
    assert_same("a view of x taken before", found[0][1], found[1][1])


# no gradient at all, or one that PyTorch lacks in place (asinh_, atanh_); after fill_ and zero_ nothing depends on x
NO_GRADIENT = ("float_power_", "eq_", "gt_", "le_", "ne_", "lt_", "ge_", "logical_not_", "asinh_", "atanh_", "zero_",
               "fill_(", "not_equal_", "less_", "greater_", "heaviside_", "arcsinh_", "arctanh_")


@pytest.mark.parametrize("call", [m for m in METHODS if not m.startswith(NO_GRADIENT)])
def test_gradients_pass_through_an_in_place_method(call):
    found = []
    for t in LIBRARIES:
        x, y, i = inputs(t, call)
        x.requires_grad_()
        z = x * 1.0 if call in ("acos_()", "logit_()") else x * 1.5 - 0.04
        y.requires_grad_()
        eval(f"z.{call}", {"z": z, "y": y * 1.0, "i": i, "t": t})
        (z * t.arange(1.0, z.numel() + 1, dtype=z.dtype).reshape(z.shape)).sum().backward()
        found.append([None if v.grad is None else v.grad.numpy(force=True) for v in (x, y)])
    for name, ours, theirs in zip("xy", *found):
        zero = np.zeros(1)
        if ours is None or theirs is None:  # a gradient that is zero everywhere may also be none
            assert not np.any(zero if ours is None else ours) and not np.any(zero if theirs is None else theirs)
        else:
            assert_same(f"gradient of {name}", ours, theirs)


@pytest.mark.parametrize("name, call", [("t_", "t_()"), ("unsqueeze_", "unsqueeze_(0)"), ("add_", "add_(1)"),
                                        ("zero_", "zero_()"), ("index_fill_", "index_fill_(0, i, 1)"),
                                        ("cumsum_", "cumsum_(0)")])
def test_a_leaf_that_requires_a_gradient_is_protected(name, call):
    for t in LIBRARIES:
        w = t.ones(2, 3, requires_grad=True)
        with pytest.raises(RuntimeError, match=name if t is tinycnn else "leaf"):
            eval(f"w.{call}", {"w": w, "i": t.tensor([0])})
        with t.no_grad():
            eval(f"w.{call}", {"w": w, "i": t.tensor([0])})


@pytest.mark.parametrize("change", ["z.mul_(2)", "z.add_(1)", "z.zero_()", "z[0] = 5", "z.tril_()",
                                    "z.index_fill_(0, i, 1)"])
def test_overwriting_what_backward_needs_is_noticed(change):
    for t in LIBRARIES:
        x = t.ones(2, 2, requires_grad=True)
        z = x * 2
        y = (z * z).sum()
        exec(change, {"z": z, "i": t.tensor([0])})
        with pytest.raises(RuntimeError):
            y.backward()


VIEWS = """
    x[0] | x[:, 1] | x[1:, ::2] | x[..., 0] | x[None] | x.view(4, 3) | x.reshape(2, 6) | x.t() | x.T | x.mT
    x.permute(1, 0) | x.transpose(0, 1) | x.flatten() | x.ravel() | x.unsqueeze(1) | x.squeeze() | x.narrow(1, 1, 2)
    x.select(0, 1) | x.diagonal() | x.chunk(2, 1)[0] | x.split(2)[0] | x.unbind(0)[1] | x.unflatten(1, (2, 2))
    x.movedim(0, 1) | x.detach() | x.data | x.unfold(1, 2, 2) | x.swapaxes(0, 1) | x.view_as(x) | x.contiguous()
    x.tensor_split(2, 1)[1] | t.hsplit(x, 2)[0] | t.atleast_3d(x) | x.to(x.dtype) | t.as_tensor(x) | x.cpu()
    x.float()
"""
COPIES = """
    x.clone() | x[[0, 1]] | x[x > 0] | x.flip(0) | x.roll(1, 0) | x.repeat(1, 1) | t.cat([x]) | x.t().contiguous()
    x.double() | t.tensor(x.tolist()) | x.index_select(0, t.tensor([0, 1])) | x.tril() | x.t().reshape(-1) | x + 0
    x.masked_fill(x > 9, 0) | x.unsqueeze(0).expand(2, 3, 4).reshape(-1) | x.sort().values
"""
VIEWS, COPIES = ([e.strip() for line in text.strip().splitlines() for e in line.split("|")] for text in (VIEWS, COPIES))


@pytest.mark.parametrize("expression, shared", [(e, True) for e in VIEWS] + [(e, False) for e in COPIES])
def test_views_share_memory_and_copies_do_not(expression, shared):
    for t in LIBRARIES:
        x = t.arange(12, dtype=t.float32).reshape(3, 4) + 1
        y = eval(expression, {"x": x, "t": t})
        x.zero_()
        assert bool((y == 0).all()) is shared, t.__name__


def test_writing_through_a_view_reaches_the_whole_tensor():
    for write in ("x[0].fill_(7)", "x[:, 1].mul_(3)", "x.t()[0] = 5", "x.view(-1)[2:4].zero_()", "x[1:][0] += 2",
                  "x.unfold(1, 2, 2)[:, 0].fill_(8)", "x.diagonal().add_(1)", "x.data.mul_(2)", "x.detach().zero_()"):
        results = []
        for t in LIBRARIES:
            x = t.arange(12.0).reshape(3, 4)
            exec(write, {"x": x})
            results.append(x.numpy())
        assert_same(write, *results)


@pytest.mark.parametrize("write", [
    "y[0] = 0", "y[:, 1] = x.detach()[:, 0] * 2", "y[m] = 5", "y[m] = x[0, 0]", "y[1] = x[0] * 2",
    "y[:, [0, 2]] *= 2", "y[0] += x[1]", "y[..., -1] -= 1", "y[i] = x[:2] ** 2", "y[y > 0.5] = 0", "y[0, 1] = 2",
    "y[None, 0] = 1", "y += x", "y *= x", "y /= 2", "y -= x * x", "y **= 2", "y[1:] = y[:-1].clone() * 2",
    "y[0][1] = 3", "y.t()[1] += x[:, 0]", "y.view(-1)[2:5].mul_(3)", "y[:, None].squeeze(1)[0].copy_(x[2] * 3)",
    "y[1:][:, 2:] -= x[:2, :2]", "v = y[1:]; v *= x[1:]; v += 1; v.relu_()",
    "y.permute(1, 0).unsqueeze(0)[0, 2].exp_()", "v = y[0]; v += x[1]; y[2] = v * 2", "y.data[0] = 0",
    "y.detach()[1].zero_()"])
def test_assignments_carry_gradients(write):
    results = []
    for t in LIBRARIES:
        x = t.from_numpy(np.random.default_rng(0).uniform(0.1, 0.9, (3, 4))).requires_grad_()
        y = x * 2
        exec(write, {"x": x, "y": y, "i": t.tensor([2, 0]), "m": t.tensor(np.eye(3, 4) > 0)})
        (y * t.arange(12, dtype=t.float64).reshape(3, 4)).sum().backward()
        results.append((y.detach().numpy(), x.grad.numpy()))
    assert_same("value", results[0][0], results[1][0])
    assert_same("gradient", results[0][1], results[1][1])


@pytest.mark.parametrize("write", ["y[0] += x[1]", "y[:, 1:].copy_(x[:, 1:] ** 2)", "y[0] = x[0].sum()",
                                   "y.view(-1)[3] = x[1, 1]"])
def test_a_constant_becomes_part_of_the_graph_when_a_result_is_written_into_it(write):
    results = []
    for t in LIBRARIES:
        x, y = t.from_numpy(np.arange(1.0, 7).reshape(2, 3)).requires_grad_(), t.zeros(2, 3, dtype=t.float64)
        exec(write, {"x": x, "y": y})
        assert y.requires_grad and not y.is_leaf
        (y * y).sum().backward()
        results.append((y.detach().numpy(), x.grad.numpy()))
    assert_same("value", results[0][0], results[1][0])
    assert_same("gradient", results[0][1], results[1][1])


@pytest.mark.parametrize("expression", ["c.view(2, -1)", "c.view(-1, 75)", "c.view(2, 3, 25)", "p.view(2, -1)",
                                        "c[0].view(3, -1)",
                                        "c.chunk(2)[1].view(-1)", "b.view(b.size(0), -1)", "c.relu_().view(2, -1)",
                                        "t.relu(c).view(2, 75)", "(c + 1).view(2, -1)", "c.view(2, 3, -1).mul_(2)"])
def test_what_a_convolution_returns_can_be_viewed(expression):
    results = []
    for t in LIBRARIES:
        rng = np.random.default_rng(0)
        x, w = (t.from_numpy(rng.standard_normal(s)).requires_grad_() for s in ((2, 2, 5, 5), (3, 2, 3, 3)))
        c = t.nn.functional.conv2d(x, w, padding=1)
        names = {"c": c, "t": t, "p": t.nn.functional.max_pool2d(c, 2),
                 "b": t.nn.functional.batch_norm(c, None, None, training=True)}
        y = eval(expression, names)
        (y * t.arange(y.numel(), dtype=y.dtype).reshape(y.shape)).sum().backward()
        results.append((y.detach().numpy(), x.grad.numpy(), c.detach().numpy()))
    for i, what in enumerate(("value", "gradient", "the convolution's output, perhaps written to")):
        assert_same(what, results[0][i], results[1][i])


def test_a_view_that_pytorch_refuses_is_refused():
    array = np.zeros((2, 3)).T
    for t in LIBRARIES:
        for x in (t.zeros(2, 3).t(), t.from_numpy(array), t.zeros(2, 3, 4)[:, :2].permute(1, 0, 2)):
            with pytest.raises(RuntimeError):
                x.view(-1)


@pytest.mark.parametrize("write", ["x.chunk(2)[0].add_(1)", "x.unbind(0)[0].mul_(2)"])
def test_writing_through_one_of_several_views_is_refused(write):
    for t in LIBRARIES:
        with pytest.raises(RuntimeError, match="view"):
            exec(write, {"x": t.ones(2, 2, requires_grad=True) * 1})


def test_a_hook_after_accumulation_sees_the_whole_gradient():
    for t in LIBRARIES:
        w, seen = t.ones(2, requires_grad=True), []
        handle = w.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad.tolist()))
        (w * 3 + w * 2).sum().backward()
        handle.remove()
        w.sum().backward()
        assert seen == [[5.0, 5.0]]


@pytest.mark.parametrize("call", ["mul_(y)", "div_(y)", "pow_(y)", "atan2_(y)", "hypot_(y)", "xlogy_(y)", "lerp_(y, y)",
                                  "remainder_(y)", "float_power_(y)", "ldexp_(y)", "addcmul_(y, y)", "clamp_(y)"])
def test_a_constant_is_changed_in_place_by_a_tensor_that_is_followed(call):
    """`eps.mul_(std)`: the old value of the constant is the derivative, and is kept although it is overwritten."""
    found = []
    for t in LIBRARIES:
        x, y, _ = inputs(t, call)
        y.requires_grad_()
        eval(f"x.{call}", {"x": x, "y": y}).square().sum().backward()
        found.append((x.detach().numpy(), y.grad.numpy()))
    assert_same("x", found[0][0], found[1][0])
    assert_same("dy", found[0][1], found[1][1])
