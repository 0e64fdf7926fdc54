"""Pictures of what happens: every function returns a matplotlib Figure, which `figure.savefig(path)` writes."""
from .confusion import confusion
from .curves import curves
from .filters import filters
from .mistakes import mistakes
