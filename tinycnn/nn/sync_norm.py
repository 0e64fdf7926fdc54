"""Batch norm whose mean and variance are those of all processes' samples together."""
from ..engine.arrays import array_module, quiet
from ..engine.dtype import float64
from ..engine.half import widened
from ..ops.norm import Normalize, facing, moments, sum_onto, update_running


class SyncNormalize(Normalize, wide=True):
    """y = w xhat + b with xhat = (x - mu) r, as in `Normalize`; mu and r are those of the numbers of all ranks together.

    x (N, C, *S), w and b (C,) or None -> y. `statistics` (mu, var) come from `moments_of_all`; a channel has `count`
    numbers, on all ranks. `total(array)` gives the sum of what every rank passes.

    Derivation. L is the sum of the losses of all ranks, so dy_j = dL/dy_j for every number j of a channel, wherever it
    lives. As in `Normalize`, with the sums over j on all ranks, M = `count` and g = dy w, w being one number a channel:
        dx_i = r (g_i - sum_j g_j / M - xhat_i sum_j g_j xhat_j / M)
             = r w (dy_i - s / M - xhat_i t / M),   s = sum_j dy_j,  t = sum_j dy_j xhat_j
    A rank adds up its own part of s and t, which are its db and dw, and one message gives all ranks the whole. dw and db
    stay the rank's own: as of any parameter, `DistributedDataParallel` adds them up.
    Cost: as `Normalize`, and a message of 2 C numbers in backward. Saves x, mu, r and w.
    """

    @staticmethod
    def forward(ctx, x, w, b, eps, statistics, count, total):
        ctx.count, ctx.total = count, total
        return Normalize.forward(ctx, x, w, b, axes=(), along=(1,), eps=eps, statistics=statistics)

    @staticmethod
    def backward(ctx, dy):
        x, mu, r, w = ctx.saved_tensors
        xp, xhat, channels = array_module(x), (x - mu) * r, x.shape[1]
        db, dw = sum_onto(dy, (1,)), sum_onto(dy * xhat, (1,))
        sums = ctx.total(xp.concatenate([db, dw]).astype(float64)) / ctx.count
        s, t = (facing(v, x, (1,)) for v in (sums[:channels], sums[channels:]))
        dx = r * (dy - s - xhat * t)
        dx = dx if w is None else dx * facing(w, x, (1,))
        return [d if need else None for d, need in zip((dx, dw, db), ctx.needs_input_grad)]

    @staticmethod
    def backward_recorded(ctx, dy):
        raise RuntimeError("SyncBatchNorm: its gradient cannot be differentiated again: the statistics come from other "
                           "processes, which do not record them")


def moments_of_all(x, total):
    """(mu, var, count) of every channel of the arrays x (N, C, *S) of all ranks; mu and var broadcast against x.

    Rank q has m_q numbers of a channel, of mean mu_q and variance var_q, and M = sum_q m_q:
        mu  = sum_q m_q mu_q / M
        var = sum_q m_q (var_q + (mu_q - mu)^2) / M
    The mean comes first, as in `moments`, so it takes two messages, of C + 1 and of C numbers, in float64.
    """
    x, xp, channels = widened(x), array_module(x), x.shape[1]
    mine, own_mu, own_var = x.size // max(channels, 1), xp.zeros(channels), xp.zeros(channels)
    if mine:
        own_mu, own_var = (v.reshape(channels).astype(float64) for v in moments(x, (0, *range(2, x.ndim))))
    message = total(xp.concatenate([mine * own_mu, xp.full(1, float(mine))]))
    count = int(message[-1])
    mu = message[:-1] / max(count, 1)
    spread = own_var + (own_mu - mu) ** 2 if mine else own_var
    var = total(mine * spread) / max(count, 1)
    return facing(mu, x, (1,)), facing(var, x, (1,)), count


def batch_norm_of_all(input, running_mean, running_var, weight, bias, momentum, eps, group):
    """`F.batch_norm` in training, with mean and variance over the samples of all ranks of `group`.

    Where `group.borrowing`, this rank has no samples of its own in this batch: what it computes on borrowed ones counts
    nowhere.
    """
    x = input.array
    with quiet():
        mu, var, count = moments_of_all(x[:0] if group.borrowing else x, group.total)
    if count < 2:
        raise ValueError(f"SyncBatchNorm: expected more than 1 value per channel when training, got {count} on all "
                         f"{group.size} ranks together")
    update_running("batch_norm", running_mean, mu, momentum)
    update_running("batch_norm", running_var, var, momentum, count / (count - 1))
    total = (lambda sums: 0 * group.total(0 * sums)) if group.borrowing else group.total
    return SyncNormalize.apply(input, weight, bias, eps=eps, statistics=[mu, var], count=count, total=total)
