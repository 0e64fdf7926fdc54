"""For a while: every kernel under one name."""
from .elementwise import *  # noqa: F401, F403
from .elementwise import each  # noqa: F401
from .launch import *  # noqa: F401, F403
from .norm import *  # noqa: F401, F403
from .pool import *  # noqa: F401, F403
from .softmax import *  # noqa: F401, F403
