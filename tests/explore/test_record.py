"""What is noted of a pass is what happened."""
import math

import numpy as np
import pytest

import tinycnn
from tests.explore import subjects
from tinycnn import nn
from tinycnn.data import MNIST
from tinycnn.explore import Subject, wire
from tinycnn.explore.session import Session
from tinycnn.models import get_model
from tinycnn.nn import functional as F
from tinycnn.train import summary


@pytest.fixture(params=[subjects.sequential, subjects.Residual, subjects.Attending], ids=lambda model: model.__name__)
def session(request):
    return Session(subjects.digits(request.param))


def test_scores_loss_and_gradients_are_those_of_the_network(session):
    record = session.look(session.subject.shown[0][3], 2)
    model, x = session.model, session._normalised(session.pixels[None]).requires_grad_()
    model.zero_grad()
    with tinycnn.plainly():
        loss = F.cross_entropy(model(x), tinycnn.tensor([2]))
        loss.backward()
    assert record.loss == loss.item() and record.label == 2
    assert np.array_equal(record.picture_gradient, x.grad.numpy()[0])
    for name, p in model.named_parameters():
        assert np.array_equal(record.gradients[name], p.grad.numpy())


def test_every_input_leads_to_where_it_came_from(session):
    """What each operation computes again from its recorded inputs is what it made."""
    record = session.look(session.subject.shown[0][0])
    assert {o.name for o in record.operations} >= {"Linear", "CrossEntropy"}
    for operation in record.operations:
        if operation.name not in ("Linear", "Add", "ReLU"):
            continue
        inputs = []
        for source in operation.inputs:
            if source is None:
                inputs.append(None)
            elif "operation" in source:
                inputs.append(record.operations[source["operation"]].outputs[source["output"]])
            else:
                inputs.append(record.parameters[source["parameter"]])
        ctx = operation.function()
        ctx.needs_input_grad = [False] * len(inputs)
        again = operation.function.forward(ctx, *inputs)
        assert np.array_equal(again, operation.outputs[0])


def test_the_gradient_of_an_output_is_that_of_the_rest_of_the_network():
    session = Session(subjects.digits(subjects.sequential))
    record, layers = session.look(session.subject.shown[0][0]), list(session.model)
    middle = tinycnn.tensor(record.operations[3].outputs[0]).requires_grad_()
    with tinycnn.plainly():
        F.cross_entropy(nn.Sequential(*layers[4:])(middle), tinycnn.tensor([record.label])).backward()
    np.testing.assert_allclose(record.operations[3].gradients[0], middle.grad.numpy(), rtol=1e-12)


def test_modules_are_named_and_noting_leaves_nothing_behind(session):
    before = tinycnn.engine.function.Function.__dict__["apply"]
    record = session.look(session.subject.shown[0][0])
    names = {name for name, _ in session.model.named_modules()}
    assert {o.module for o in record.operations} <= names and len({o.module for o in record.operations}) > 3
    assert tinycnn.engine.function.Function.__dict__["apply"] is before
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in session.model.modules())


def test_multiply_adds_are_those_of_the_summary():
    model = get_model("lenet5")
    record = Session(Subject("lenet5", model, MNIST.FORMAT, list("0123456789"))).look(np.zeros(784))
    assert sum(o.multiply_adds for o in record.operations) == summary(model, (1, 28, 28)).multiply_adds


def test_a_difference_agrees_with_the_derivative(session):
    record = session.look(session.subject.shown[0][1])
    for name, dw in record.gradients.items():
        index = dw.size // 2
        assert math.isclose(session.difference(name, index), dw.flat[index], rel_tol=1e-4, abs_tol=1e-8)
    assert math.isclose(session.difference(None, 20), record.picture_gradient.flat[20], rel_tol=1e-4, abs_tol=1e-8)


def test_a_step_goes_against_the_gradient_and_is_taken_back(session):
    record = session.look(session.subject.shown[0][1])
    before = {name: w.copy() for name, w in record.parameters.items()}
    expected = {name: w - 0.01 * record.gradients[name] for name, w in before.items()}
    losses = session.step(0.01)
    assert losses[0] == record.loss and losses[1] < losses[0]
    for name, p in session.model.named_parameters():
        np.testing.assert_allclose(p.array, expected[name], rtol=1e-12)
    assert session.undo() and not session.undo()
    assert all(np.array_equal(p.array, before[name]) for name, p in session.model.named_parameters())


def test_a_training_that_takes_long_ends_early_and_a_race_has_as_many_batches_both_ways(session, monkeypatch):
    session.look(session.subject.shown[0][0])
    monkeypatch.setattr("tinycnn.explore.session.SECONDS", 0)
    assert len(session.train(0.1, 5)) == 1 and session.undo()
    session.switch("Linear", "dw transposed")
    monkeypatch.setattr("tinycnn.explore.session.SECONDS", 60)
    start = session.record().loss
    right, broken = session.race(0.1, 3)
    assert len(right) == len(broken) == 3 and right[0] == broken[0] and right != broken and session.record().loss == start


def test_a_network_may_return_nothing_but_scores():
    session = Session(subjects.digits(lambda: nn.Sequential(nn.Conv2d(1, 2, 3))))
    with pytest.raises(RuntimeError, match=r"must return scores \(N, K\) for pictures \(N, C, H, W\), got \(1, 2, 6, 6\)"):
        session.look(np.zeros(64), 1)


def test_what_is_too_large_is_left_out_and_named(session):
    record = session.look(session.subject.shown[0][0])
    description, arrays = wire.described(record, most=300)
    assert sum(a.size for a in arrays.values()) <= 300 and description["left_out"]
    everything = wire.described(record)[1]
    assert {*description["left_out"], *arrays} == set(everything)
    assert all(tuple(shape) == everything[name].shape for name, shape in description["left_out"].items())


@pytest.mark.parametrize("question, error", [
    (lambda s: s.look(np.zeros(63)), r"look: a picture must be 64 finite numbers, \(1, 8, 8\), got 63"),
    (lambda s: s.look(np.full(64, np.nan)), "64 finite numbers"),
    (lambda s: s.look(np.zeros(64), 10), "look: label must lie in 0 to 9, got 10"),
    (lambda s: s.look(np.zeros(64), "3"), "look: label must lie in 0 to 9, got '3'"),
    (lambda s: s.step(0), "step: lr must lie above 0 and be at most 100, got 0"),
    (lambda s: s.step(float("nan")), "step: lr must lie above 0"),
    (lambda s: s.train(0.1, 0), "train: batches must lie in 1 to 200, got 0"),
    (lambda s: s.difference("no", 0), "difference: the network has no parameter 'no'"),
    (lambda s: s.difference(None, 64), "difference: index must lie in 0 to 63, got 64"),
    (lambda s: s.switch("ReLU", "nothing"), "switch: there is no mutant 'nothing' of 'ReLU'")])
def test_what_makes_no_sense_is_said(question, error):
    session = Session(subjects.digits(subjects.sequential))
    session.look(np.zeros(64))
    with pytest.raises(ValueError, match=error):
        question(session)
