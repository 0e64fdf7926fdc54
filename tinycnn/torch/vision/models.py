"""The models of `tinycnn.models`."""
from ..models import *  # noqa: F401, F403
