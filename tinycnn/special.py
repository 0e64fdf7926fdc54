"""Floor 2: PyTorch's `torch.special`, as far as networks use it."""
from .ops.activation import sigmoid as expit
from .ops.reduce import logsumexp
from .ops.softmax import log_softmax, softmax
from .ops.special import logit, sinc, xlogy
from .ops.unary import erf, erfc, erfinv, exp2, expm1, log1p, round

__all__ = ["erf", "erfc", "erfinv", "exp2", "expit", "expm1", "log1p", "log_softmax", "logit", "logsumexp", "round", "sinc",
           "softmax", "xlogy"]
