"""Floor 5: the gradient checker."""
