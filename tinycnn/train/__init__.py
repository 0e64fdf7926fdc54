"""The training loop, what it reports, checkpoints, and the table of a network's layers."""
import sys

from ..engine.answers import answer_clearly as _answer_clearly
from .callbacks import early_stopping, is_best, log_history, log_tensorboard, save_best
from .checkpoint import load_checkpoint, load_model, save_checkpoint
from .deadline import Deadline, Stretched
from .fingerprint import differences, fingerprint
from .history import read_history, write_history
from .lock import FolderLock
from .loop import evaluate, fit, predict
from .metrics import accuracy, calibration, confusion_matrix, per_class, roc_auc, roc_curve, top_k_accuracy
from .search import find_lr
from .table import Summary, summary

_answer_clearly(sys.modules[__name__], ["accuracy", "calibration", "confusion_matrix", "per_class", "roc_auc", "roc_curve",
                                        "top_k_accuracy", "differences", "fingerprint", "early_stopping", "log_history",
                                        "save_best", "is_best", "save_checkpoint", "read_history", "summary",
                                        "write_history"])
