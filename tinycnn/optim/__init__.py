"""Optimizers, one family a file, and schedules for their learning rates."""
import sys

from ..engine.answers import answer_clearly as _answer_clearly
from ..engine.names import no_such_name as _no_such_name
from . import lr_scheduler, swa_utils
from .adafactor import Adafactor
from .adagrad import Adadelta, Adagrad
from .adam import Adam, Adamax, AdamW, NAdam, RAdam
from .averaged import ASGD
from .large_batch import LAMB, LARS
from .lbfgs import LBFGS
from .optimizer import Optimizer
from .rmsprop import RMSprop, Rprop
from .sgd import SGD

_optimizers = [name for name, kind in globals().items() if isinstance(kind, type) and issubclass(kind, Optimizer)]
_answer_clearly(sys.modules[__name__], _optimizers, ("__init__", "add_param_group", "load_state_dict"))


def __getattr__(name):
    raise _no_such_name("module 'tinycnn.optim'", name, globals())
