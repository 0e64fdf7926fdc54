"""PyTorch's `torch.special`, as far as networks use it."""
import sys

from .engine.answers import answer_clearly
from .ops.activation import sigmoid as expit
from .ops.gamma import digamma, polygamma
from .ops.gamma import lgamma as gammaln
from .ops.reduce import logsumexp
from .ops.softmax import log_softmax, softmax
from .ops.special import entr, logit, ndtr, ndtri, sinc, xlog1py, xlogy
from .ops.unary import erf, erfc, erfinv, exp2, expm1, log1p, round

psi = digamma

__all__ = ["digamma", "entr", "erf", "erfc", "erfinv", "exp2", "expit", "expm1", "gammaln", "log1p", "log_softmax", "logit",
           "logsumexp", "ndtr", "ndtri", "polygamma", "psi", "round", "sinc", "softmax", "xlog1py", "xlogy"]

answer_clearly(sys.modules[__name__], __all__)
