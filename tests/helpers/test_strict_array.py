"""The strict array refuses what CuPy refuses, and notes what makes the host wait."""
import numpy as np
import pytest

from tests.helpers.strict_array import StrictArray, strict, waits

x = StrictArray(np.arange(6.0).reshape(2, 3))


def test_a_copy_in_rows_is_made_where_there_is_none():
    assert strict.ascontiguousarray(x) is x and strict.asarray(x) is x
    for y in (x.T, strict.broadcast_to(x[:, :1], (2, 3))):
        assert strict.ascontiguousarray(y).flags.c_contiguous and not y.flags.c_contiguous
    assert not np.shares_memory(strict.array(x)._a, x._a)


@pytest.mark.parametrize("attempt", [
    lambda: np.asarray(x), lambda: np.exp(x), lambda: np.add(x, x, out=np.empty((2, 3))), lambda: np.sum(x),
    lambda: x + np.ones((2, 3)), lambda: np.ones((2, 3)) * x, lambda: x == np.ones((2, 3)),
    lambda: x + [1, 2, 3],
    lambda: x.__iadd__(np.ones((2, 3))), lambda: x[np.array([0, 1])], lambda: x[[0, 1]],
    lambda: x.__setitem__(0, np.ones(3)),
    lambda: strict.sum(np.ones(3)), lambda: strict.where(x > 1, np.ones((2, 3)), x), lambda: strict.sum([1.0, 2.0]),
    lambda: strict.maximum(x, [1, 2, 3]), lambda: strict.asarray([x, x]), lambda: x.sum(where=x > 1),
    lambda: strict.exp(x, where=x > 1), lambda: strict.zeros_like(x, subok=True), lambda: strict.var(x, correction=1),
    lambda: strict.argsort(x, kind="quicksort"), lambda: range(strict.sum(x)), lambda: strict.stack([x, np.ones((2, 3))]),
    lambda: strict.add.at(strict.zeros(3, int), x, 1),
], ids=range(25))
def test_what_cupy_refuses_is_refused(attempt):
    with pytest.raises((TypeError, ValueError)):
        attempt()


def test_what_cupy_lacks_is_missing():
    for attempt in (lambda: strict.insert, lambda: strict.ndenumerate, lambda: strict.linalg.eig, lambda: x.flags.writeable,
                    lambda: x.setflags, lambda: strict.maximum.reduce):
        with pytest.raises(AttributeError):
            attempt()


def test_what_cupy_allows_works_and_waiting_is_noted():
    waits.clear()
    assert isinstance(x.sum(), StrictArray) and x.sum().shape == () and isinstance(x[0, 0], StrictArray)
    assert isinstance(np.float64(2) * x, StrictArray) and isinstance(2 - x, StrictArray) and np.shape(x) == (2, 3)
    assert x.T.base is x and x[0][1:].base is x and (x + 1).base is None
    assert waits == []
    assert float(x.sum()) == 15 and bool((x >= 0).all()) and x[x > 1].shape == (4,) and strict.nonzero(x)[0].shape == (5,)
    assert waits == ["float", "bool", "index by a mask", "nonzero"]
