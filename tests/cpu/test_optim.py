"""Optimizers on processors: one loop for a parameter."""
import numpy as np
import pytest

import tinycnn
from tests.helpers.roads import make_small

RULES = [("SGD", dict(lr=0.1)), ("SGD", dict(lr=0.1, weight_decay=0.1, maximize=True)), ("SGD", dict(lr=0.1, momentum=0.9)),
         ("SGD", dict(lr=0.1, momentum=0.9, dampening=0.3, weight_decay=0.1)),
         ("SGD", dict(lr=0.1, momentum=0.9, nesterov=True, maximize=True)), ("Adam", dict(lr=0.1, weight_decay=0.1)),
         ("AdamW", dict(lr=0.1, maximize=True)), ("Adam", dict(lr=0.1, amsgrad=True))]


@pytest.mark.parametrize("name, options", RULES, ids=lambda value: str(value))
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_loop_steps_as_the_rule_does(name, options, threads, monkeypatch):
    make_small(monkeypatch, threads)

    def trained():
        draw = np.random.default_rng(0).standard_normal
        p = tinycnn.nn.Parameter(tinycnn.tensor(draw((7, 5))))
        optimizer = getattr(tinycnn.optim, name)([p], **options)
        for _ in range(4):
            p.grad = tinycnn.tensor(draw((5, 7))).transpose(0, 1)  # of another layout
            optimizer.step()
        return p.array
    with tinycnn.plainly():
        expected = trained()
    np.testing.assert_allclose(trained(), expected, rtol=1e-12, atol=1e-13)


def test_a_rule_of_ones_own_is_computed_as_it_says(monkeypatch):
    make_small(monkeypatch)

    class Halves(tinycnn.optim.SGD):
        def update(self, p, dp, state, group):
            p *= 0.5
    p = tinycnn.nn.Parameter(tinycnn.ones(4))
    p.grad = tinycnn.ones(4)
    Halves([p], lr=1.0).step()
    assert (p.array == 0.5).all()
