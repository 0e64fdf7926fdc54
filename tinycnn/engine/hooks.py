"""Floor 0: the handle that takes a hook away again, for tensors and modules alike."""


class RemovableHandle:
    """What registering a hook returns: `remove()` takes the hook away again; a `with` block does so at its end."""

    def __init__(self, hooks, hook):
        self._hooks, self._hook = hooks, hook

    def remove(self):
        """Take the hook away; a second call does nothing."""
        if self._hook in self._hooks:
            self._hooks.remove(self._hook)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.remove()
