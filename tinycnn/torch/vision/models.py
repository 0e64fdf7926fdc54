"""The models of `tinycnn.models`, and the names of published weights, see `weights.py`."""
from ..models import *  # noqa: F401, F403
from .weights import *  # noqa: F401, F403
