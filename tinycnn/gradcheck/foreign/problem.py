"""What the adapters have in common."""
import copy

from ..problem import Problem
from ..smaller import cut_down


class ForeignProblem(Problem):
    """`fn` on arrays of another library. In `given` these arrays are NumPy's, so that the laws can cut and compare them."""

    def __init__(self, title, options, seed, *, fn, function, argument_names, given, places):
        super().__init__(title, options, seed)
        self.fn, self.function, self.argument_names, self.given, self.places = fn, function, argument_names, given, places
        self.names = [argument_names[i] for i in places]
        self.values = [given[i].astype(float) for i in places]

    def _look(self):
        if not self.values:
            raise ValueError(f"gradcheck: {self.title} got no floating-point input, so there is no gradient to check")
        super()._look()

    def variant(self, options=None, batch=None, cut=None):
        """The same problem with other options, or on less: see `../smaller.py`."""
        other = copy.copy(self)
        vars(other).pop("numbers", None)  # those of the options
        other.options = self.options if options is None else options
        other.given = cut_down(self.given, batch, cut)
        other.values = [other.given[i].astype(float) for i in self.places] + self.values[len(self.places):]
        other._look()
        return other

    def replaced(self, values):
        """All inputs, with `values` in the places that have a gradient."""
        inputs = list(self.given)
        for i, value in zip(self.places, values):
            inputs[i] = value
        return inputs
