"""Attention on a GPU: products of the whole batch, with the scale in them, and a warp for every row of P."""
from ..engine.arrays import array_module, matmul
from ..ops.attention import Attention, gradients, shares, shares_recorded
from ..ops.elementwise import unbroadcast
from .cuda import batched_product, batches
from .launch import serves
from .softmax import softmax, softmax_backward


def on_gpu(ctx, q, k, v, mask, m, scale):
    """Arrays on a GPU."""
    return serves(q)


@Attention.forward.road(on_gpu)
def attend_on_gpu(ctx, q, k, v, mask, m, scale):
    """Heads copied into one piece each, the scale in the product, the softmax in one launch."""
    ctx.scale, ctx.backward_recorded = scale, recorded
    q, k, v = (array_module(q).ascontiguousarray(x) for x in (q, k, v))  # products need that, and backward again
    z = scaled(q, k.swapaxes(-1, -2), scale)
    if mask is not None:
        z = z + mask
    p = softmax(z, zeros=True) if serves(z) else shares(z)
    ctx.save_for_backward(q, k, v, p, m, mask)
    return matmul(p if m is None else p * m, v)


def scaled(a, b, scale):
    """scale a @ b."""
    return batched_product(array_module(a), a, b, scale) if batches(a, b) else a @ b * scale


def gradient_on_gpu(ctx, dy):
    """A gradient on a GPU."""
    return serves(dy)


@Attention.backward.road(gradient_on_gpu)
def attend_on_gpu_backward(ctx, dy):
    """The scale in the products, the gradient of the softmax in one launch."""
    q, k, v, p, m, mask = ctx.saved_tensors
    need_q, need_k, need_v, need_mask, _ = ctx.needs_input_grad
    dy = array_module(dy).ascontiguousarray(dy)  # it takes part in two products
    dq = dk = dv = dz = None
    if need_v:
        dv = unbroadcast(matmul((p if m is None else p * m).swapaxes(-1, -2), dy), v.shape)
    if need_q or need_k or need_mask:
        dp = matmul(dy, v.swapaxes(-1, -2))
        if m is not None:
            dp = dp * m
        dz = softmax_backward(dp, p) if serves(dp) else dp
    if need_q:
        dq = unbroadcast(scaled(dz, k, ctx.scale), q.shape)
    if need_k:
        dk = unbroadcast(scaled(dz.swapaxes(-1, -2), q, ctx.scale), k.shape)
    return dq, dk, dv, unbroadcast(dz, mask.shape) if need_mask else None, None


def recorded(ctx, dy):
    """`Attention.backward_recorded` where copies of the inputs were saved: they stand in for them."""
    q, k, v, _, m, mask = ctx.saved_tensors
    q, k, v = (ctx.stand_in(i, x) for i, x in enumerate((q, k, v)))
    return gradients(ctx, dy, q, k, v, shares_recorded(q, k, mask, ctx.scale), m, mask)
