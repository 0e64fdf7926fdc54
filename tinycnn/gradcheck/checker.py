"""The gradient checker: `gradcheck` for anything that has gradients, `check_functions` for plain NumPy functions."""
import numpy as np

from .contracts import broken
from .diagnosis import diagnose
from .foreign import problem_of
from .measure import InputCheck, Measurement, Tolerance, TooSlow, check_ties, largest
from .numeric import STEP
from .pairs import ArrayProblem
from .problem import TensorProblem, kept_dice, names_of, title_of
from .registry import library
from .report import GradcheckError, Report
from .smaller import reduced


def gradcheck(fn, *inputs, eps=None, atol=None, rtol=None, raise_exception=True, nondet_tol=0.0, fast_mode=False,
              options=None, linear=False, seed=0, tol=1e-7, full=None, library=None):
    """Compare every gradient of `fn` with finite differences, and say what is wrong.

        report = gradcheck(F.conv2d, x, w, b, options=dict(stride=2))
        print(report)                        # the cause first; report is true when all is right
        gradcheck(fn, (x, w), atol=1e-6)     # PyTorch's form: True, or GradcheckError with the report

    `fn` is a function on Tensors, a Function, or a Module (its parameters are checked too); or such a thing of PyTorch, JAX
    or HIPS autograd, which shows in `fn` or in `inputs`, and is otherwise said by `library`: "torch", "jax", "autograd"; or
    a pair (forward, backward) of plain functions, as in `check_functions`. `inputs` are Tensors, arrays and constants;
    those with `requires_grad` are checked, or all floating-point ones where none has it. `options` go to `fn` as keywords.
    Inputs and parameters are promoted to float64 inside and stay untouched; random numbers restart in every pass.

    The upstream gradient is random, drawn twice from `seed`: with sum(y) instead, the gradient of softmax or batch norm
    would be zero whatever backward did. Two gradients agree when no entry differs by more than `tol` times their scale: the
    largest magnitude in the finite differences of that input, but at least 1e-4 times the Euclidean norm of dy * y, 1e-3
    times the largest gradient of any input, and 1e-30, below which finite differences are rounding errors (as for a bias
    before a batch norm). `atol` or `rtol`, when given, take the place of that rule, entry by entry: |a - n| <= atol + rtol *
    |n|; `eps` is the step (default 1e-3, five points; see `numeric.py` for kinks).

    `linear=True` also demands <f(x), dy> = <x, dx> to 1e-12. `full` measures every entry (True) or only what it takes to
    find an error (None); `fast_mode` is PyTorch's word for the latter. `nondet_tol` is how much two runs may differ.
    Returns a Report; raises ValueError where there is nothing to check. See `contracts.py` for what else is checked.
    """
    numbers = all(v is None or np.isscalar(v) for v in inputs[1:])
    torch_form = bool(inputs) and isinstance(inputs[0], (tuple, list)) and numbers
    if torch_form:
        inputs, *steps = inputs
        eps, atol, rtol = (*steps, *(eps, atol, rtol)[len(steps):])
    problem = problem_of(fn, inputs, options, seed, library)
    command = f"gradcheck({', '.join([problem.title, *problem.call])}"
    command += f", options={options!r}" * bool(options) + f", library={library!r}" * bool(library) + f", seed={seed})"
    report = check(problem, Tolerance(tol, atol, rtol, eps or STEP), linear=linear, full=full and not fast_mode,
                   command=command, nondet_tol=nondet_tol)
    if not torch_form:
        return report
    if raise_exception and not report:
        raise GradcheckError(str(report))
    return report.ok


def check_functions(forward, backward, *arrays, options=None, linear=False, seed=0, tol=1e-7, full=None, names=None):
    """`gradcheck` for plain functions: `forward(*arrays, **options) -> (y, cache)`, `backward(dy, cache) -> gradients`.

    `backward` returns one gradient for each floating-point array (or for each argument, None for the others); where y is a
    tuple of arrays, dy is one too. Returns a Report; raises TypeError or ValueError when the functions return something
    else.
    """
    problem = ArrayProblem(forward, backward, arrays, options, seed, names=names)
    command = f"check_functions({problem.title}, {title_of(backward)}, {', '.join(problem.names)}"
    command += f", options={options!r}" * bool(options) + f", seed={seed})"
    return check(problem, Tolerance(tol), linear=linear, full=full, command=command)


def check_case(case, *, seed=0, full=None, partly=True):
    """`gradcheck` for a registry's case, with inputs drawn from `seed`.

    `partly=False` leaves out that each input alone may require a gradient, of which mutants know nothing.
    """
    t = library()
    inputs = [t.from_numpy(array).requires_grad_(sample.differentiable)
              for array, sample in zip(case.draw(seed), case.inputs)]
    problem = TensorProblem(lambda *tensors: case.call(t, *tensors), inputs, seed=seed, title=case.id,
                            names=names_of(case.call, len(inputs), skip=1))
    command = f"python -m {__package__} --only {case.function.__name__} --seed {seed}"
    return check(problem, Tolerance(), linear=case.linear, full=full, command=command, partly=partly)


def check(problem, tolerance, *, known=None, **how):
    """Check one Problem: measure every input, hold backward to its promises, and diagnose what is wrong.

    `known(report)` may say what is wrong, in a sentence; where it does, there is no diagnosis, which may take long.
    """
    with kept_dice(problem.devices):
        return _check(problem, tolerance, known, **how)


def _check(problem, tolerance, known, *, linear=False, full=None, command="", nondet_tol=0.0, partly=True):
    try:
        checks, cotangents, y = _measure(problem, tolerance, full, patient=False)
    except TooSlow:
        for smaller in reduced(problem):
            report = _check(smaller, tolerance, known, linear=linear, command=command, nondet_tol=nondet_tol, partly=partly)
            if not report:
                shapes = ", ".join(f"{name} {v.shape}" for name, v in zip(smaller.names, smaller.values))
                report.note = f"found on a part of the inputs, {shapes}: to look at every entry of yours would take long"
                return report
        checks, cotangents, y = _measure(problem, tolerance, full)
    report = Report(problem.title, checks, [], [problem.split(c) for c in cotangents], problem.seed, command)
    if known and not report:
        report.known = known(report)
    if all(c.misshapen is None for c in checks) and not report.known:
        gradients = [[c.analytic[k] for c in checks] for k in range(len(cotangents))]
        report.grave, found, report.remarks = broken(problem, cotangents, gradients, max(checks[0].floors), linear=linear,
                                                     nondet_tol=nondet_tol, partly=partly)
        report.broken = report.grave + found
    for c in checks:
        if not c.ok and not report.known:
            c.cause, c.vague = diagnose(c, checks, problem, cotangents, y, lambda other: _measure(other, tolerance, None)[0])
    return report


def _measure(problem, tolerance, full, patient=True):
    """One InputCheck an input, the two upstream gradients as vectors, and the outputs as one."""
    rng = np.random.default_rng(problem.seed)
    y = problem.vector(problem.values)
    cotangents = [rng.uniform(0.5, 1.5, y.size) * rng.choice([-1.0, 1.0], y.size) for _ in range(2)]
    with problem.run([v.copy() for v in problem.values]) as run:
        gradients = [run.pull(problem.split(c)) for c in cotangents]
        misshapen = run.misshapen
    finite = np.where(np.isfinite(y), y, 0.0)
    floors = []
    for c, found in zip(cotangents, gradients):
        most = max(largest(g) for g in (*found, np.zeros(1)) if g is not None)
        floors.append(max(1e-4 * float(np.linalg.norm(c * finite)), 1e-3 * most, 1e-30))
    checks = []
    for i, (name, value) in enumerate(zip(problem.names, problem.values)):
        analytic = [np.zeros_like(value) if g[i] is None else g[i] for g in gradients]
        checks.append(InputCheck(name, value, analytic, [np.full(value.shape, np.nan) for _ in cotangents], floors,
                                 gradients[0][i] is None, misshapen.get(i)))
        Measurement(problem, i, checks[i], cotangents, tolerance, rng, patient).run(full)
    if all(c.ok for c in checks):
        check_ties(problem, checks, cotangents, tolerance)
    return checks, cotangents, y


__all__ = ["GradcheckError", "Report", "check_case", "check_functions", "gradcheck"]
