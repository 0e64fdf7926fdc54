"""Optimizers, one family a file, and schedules for their learning rates."""
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


def __getattr__(name):
    raise _no_such_name("module 'tinycnn.optim'", name, globals())
