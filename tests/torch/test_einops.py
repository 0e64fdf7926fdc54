"""einops works on tinycnn's tensors."""
import numpy as np
import pytest

import tinycnn
from tinycnn import nn

pytest.importorskip("einops", reason="einops is not installed: pip install einops")


@pytest.mark.parametrize("function, arguments, lengths", [
    ("rearrange", ["b (h p) (w q) c -> b (h w) (p q c)"], dict(p=2, q=3)), ("rearrange", ["b h w c -> b () c (h w)"], {}),
    ("reduce", ["b (h p) (w q) c -> b h w c", "mean"], dict(p=2, q=2)), ("reduce", ["b h w c -> c b", "max"], {}),
    ("reduce", ["b h w c -> b", "min"], {}), ("reduce", ["b h w c -> () c", "sum"], {}),
    ("reduce", ["b h w c -> b c", "prod"], {}), ("repeat", ["b h w c -> b (h p) w (k c)"], dict(p=2, k=3)),
    ("repeat", ["b h w c -> n b h w c"], dict(n=2))])
def test_patterns_mean_on_tensors_what_they_mean_on_arrays(function, arguments, lengths):
    import einops
    from tinycnn import einops as ours
    x = np.random.default_rng(0).standard_normal((2, 4, 6, 3))
    expected = getattr(einops, function)(x, *arguments, **lengths)
    t = tinycnn.tensor(x, requires_grad=True)
    y = getattr(ours, function)(t, *arguments, **lengths)
    np.testing.assert_allclose(y.detach().numpy(), expected, rtol=1e-12)
    assert y.requires_grad and getattr(einops, function)(nn.Parameter(t.detach()), *arguments, **lengths).requires_grad
    assert tinycnn.gradcheck(lambda x: getattr(ours, function)(x, *arguments, **lengths), t).ok


def test_lists_are_stacked_packed_and_multiplied():
    from tinycnn.einops import asnumpy, einsum, pack, parse_shape, rearrange, reduce, unpack
    x = tinycnn.arange(24.0).reshape(2, 3, 4)
    assert (rearrange(list(x), "b h w -> h w b") == x.permute(1, 2, 0)).all()
    assert (einsum(x, x, "b i k, b j k -> b i j") == x @ x.transpose(1, 2)).all()
    packed, shapes = pack([x, x[:, 0]], "b *")
    first, second = unpack(packed, shapes, "b *")
    assert packed.shape == (2, 16) and (first == x).all() and (second == x[:, 0]).all()
    assert parse_shape(x, "b _ w") == dict(b=2, w=4) and isinstance(asnumpy(x), np.ndarray)
    assert reduce(x > 3, "b h w -> b", "all").tolist() == [False, True]


def test_layers_are_modules():
    from tinycnn.einops import EinopsError, Rearrange, Reduce
    net = nn.Sequential(Rearrange("b c (h p) (w q) -> b (h w) (p q c)", p=4, q=4), nn.Linear(48, 8),
                        Reduce("b n d -> b d", "mean"))
    x = tinycnn.randn(2, 3, 8, 8)
    y = net(x)
    patches = x.reshape(2, 3, 2, 4, 2, 4).permute(0, 2, 4, 3, 5, 1).reshape(2, 4, 48)
    np.testing.assert_allclose(y.detach().numpy(), net[1](patches).mean(1).detach().numpy(), rtol=1e-5, atol=1e-6)
    assert list(net.state_dict()) == ["1.weight", "1.bias"] and "Rearrange('b c (h p) (w q)" in repr(net)
    with pytest.raises(EinopsError):
        net(tinycnn.randn(2, 3, 9, 8))
