"""Several transforms as one: all in turn, some, or one of them."""
import numbers

from ...engine.checks import check_callable, check_iterable
from ...engine.generators import check_generator, default_generator
from .base import check_p, numpy_stream


class Compose:
    """All of `transforms` (functions of one argument), one after the other."""

    def __init__(self, transforms):
        check_iterable(type(self).__name__, transforms=transforms)
        self.transforms = list(transforms)
        check_callable(type(self).__name__, **{f"transforms[{i}]": transform for i, transform in enumerate(self.transforms)})

    def __call__(self, x):
        for transform in self.transforms:
            x = transform(x)
        return x

    @property
    def takes_batches(self):
        """Whether all of them change the pictures of a batch independently of each other."""
        return all(getattr(t, "takes_batches", False) for t in self.transforms)

    def __repr__(self):
        return "\n".join([f"{type(self).__name__}(", *(f"    {t!r}" for t in self.transforms), ")"])


class Lambda:
    """A function of one argument as a transform."""

    def __init__(self, lambd):
        if not callable(lambd):
            raise TypeError(f"Lambda: lambd must be a function, got {type(lambd).__name__}")
        self.lambd = lambd

    def __call__(self, x):
        return self.lambd(x)

    def __repr__(self):
        return f"Lambda({getattr(self.lambd, '__name__', self.lambd)})"


class _Chosen(Compose):
    """The base of those that leave it to chance which transforms are applied; a batch is one picture to them."""
    takes_batches = False

    def __init__(self, transforms, *, generator=None):
        super().__init__([transforms] if callable(transforms) else transforms)
        if not self.transforms:
            raise ValueError(f"{type(self).__name__}: transforms must hold at least one, got none")
        check_generator(type(self).__name__, generator)
        self.generator = generator

    def chance(self):
        return numpy_stream(self.generator or default_generator())


class RandomApply(_Chosen):
    """With probability `p`, all of `transforms` in turn, else none."""

    def __init__(self, transforms, p=0.5, *, generator=None):
        super().__init__(transforms, generator=generator)
        self.p = check_p("RandomApply", p)

    def __call__(self, x):
        return super().__call__(x) if self.chance().random() < self.p else x


class RandomChoice(_Chosen):
    """One of `transforms`, chosen at random; `p` are the chances of each, in any scale (default: all alike)."""

    def __init__(self, transforms, p=None, *, generator=None):
        super().__init__(transforms, generator=generator)
        if p is not None and (len(p) != len(self.transforms) or not all(isinstance(q, numbers.Real) and q >= 0 for q in p)
                              or sum(p) == 0):
            raise ValueError(f"RandomChoice: p must be {len(self.transforms)} numbers of at least 0, one a transform and "
                             f"not all of them 0, got {p!r}")
        self.p = None if p is None else [q / sum(p) for q in p]

    def __call__(self, x):
        return self.transforms[self.chance().choice(len(self.transforms), p=self.p)](x)


class RandomOrder(_Chosen):
    """All of `transforms`, in random order."""

    def __call__(self, x):
        for i in self.chance().permutation(len(self.transforms)):
            x = self.transforms[i](x)
        return x
