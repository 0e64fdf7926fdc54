"""For a while: every kernel under one name."""
from .launch import *  # noqa: F401, F403
from .norm import *  # noqa: F401, F403
from .pool import *  # noqa: F401, F403
from .softmax import *  # noqa: F401, F403
