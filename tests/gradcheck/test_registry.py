"""The gates: every Function has cases and mutants, every case passes the gradient check, and no mutant survives."""
import pytest

import tinycnn
import tinycnn.cli  # noqa: F401 (whatever defines Functions must be loaded)
from tinycnn import autograd
from tinycnn.engine.function import Function
from tinycnn.gradcheck import registry
from tinycnn.gradcheck.checker import check_case
from tinycnn.gradcheck.command import catch
from tinycnn.gradcheck.watch import nodes

registry.load()


def subclasses(cls):
    """Every Function that the library defines, but those with which `exercises/unseen` measures the checker."""
    for sub in cls.__subclasses__():
        package, room = (*sub.__module__.split("."), "")[:2]
        if package == "tinycnn" and room != "exercises" and not sub.__name__.startswith("_"):
            yield sub
        yield from subclasses(sub)


FUNCTIONS = sorted(set(subclasses(Function)) - {autograd.Function}, key=lambda f: (f.__module__, f.__name__))


def is_run(function):
    """Whether it is an operation itself, not only the common part of some."""
    return "forward" in function.__dict__ or "backward" in function.__dict__ or not function.__subclasses__()


@pytest.mark.parametrize("function", list(filter(is_run, FUNCTIONS)), ids=lambda f: f.__name__)
def test_every_function_has_cases_and_three_mutants(function):
    cases, mutants = registry.cases_of(function), {m.name for m in registry.mutants_of(function)}
    assert cases, f"{function.__module__}.{function.__name__} has no case in gradcheck/cases"
    assert len(mutants) >= 3, f"{function.__name__} has the mutants {mutants}: three with names of their own are needed"
    names = [case.name for case in cases]
    assert len(names) == len(set(names)), f"{function.__name__} has two cases of one name"


def outputs_of(result):
    """The tensors in what a call returned."""
    if isinstance(result, (tuple, list)):
        return [y for part in result for y in outputs_of(part)]
    return [result] if isinstance(result, tinycnn.Tensor) else []


@pytest.mark.parametrize("case", registry.CASES, ids=lambda c: c.id)
def test_a_case_runs_its_function_and_passes_the_gradient_check(case):
    inputs = [tinycnn.from_numpy(a).requires_grad_(s.differentiable) for a, s in zip(case.draw(), case.inputs)]
    graph = nodes(outputs_of(case.call(tinycnn, *inputs)))
    assert case.function in map(type, graph), f"{case.id} does not run {case.function.__name__}: {graph}"
    with tinycnn.plainly():
        report = check_case(case)
    assert report, str(report)
    assert report.error <= 1e-7, str(report)
    assert case.kinks or report.kinks == report.jumps == 0, f"{case.id} stands on a kink and does not say so: {report}"


@pytest.mark.parametrize("mutant", registry.MUTANTS, ids=lambda m: f"{m.function.__name__}: {m.name}")
def test_no_mutant_survives(mutant):
    case, report = catch(mutant)
    assert case is not None, f"{mutant.function.__name__}: {mutant.name}: every case passes with this wrong backward"
    assert report.cause


def test_a_mutant_is_gone_after_its_block():
    mutant = registry.MUTANTS[0]
    right = mutant.function.__dict__["backward"]
    with registry.mutated(mutant):
        assert mutant.function.__dict__["backward"] is not right
    assert mutant.function.__dict__["backward"] is right
