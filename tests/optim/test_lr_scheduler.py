"""Learning-rate schedules: PyTorch's values over a whole schedule, resuming, and what is refused."""
import math
import warnings

import pytest

import tinycnn
from tinycnn.optim import SGD, Adam, lr_scheduler, swa_utils

SCHEDULES = [
    ("StepLR", dict(step_size=3)), ("StepLR", dict(step_size=1, gamma=0.7)),
    ("MultiStepLR", dict(milestones=[2, 5, 5, 9], gamma=0.5)), ("MultiStepLR", dict(milestones=[0, 3])),
    ("CosineAnnealingLR", dict(T_max=10)), ("CosineAnnealingLR", dict(T_max=7, eta_min=0.01)),
    ("CosineAnnealingLR", dict(T_max=1, eta_min=0.01)),
    ("LinearLR", {}), ("LinearLR", dict(start_factor=0.1, total_iters=8)),
    ("LinearLR", dict(start_factor=1.0, end_factor=0.0, total_iters=6)),
    ("ConstantLR", {}), ("ConstantLR", dict(factor=0.25, total_iters=3)),
    ("ExponentialLR", dict(gamma=0.9)),
    ("PolynomialLR", {}), ("PolynomialLR", dict(total_iters=12, power=2.5)),
    ("LambdaLR", dict(lr_lambda=lambda epoch: 0.9 ** epoch)),
    ("LambdaLR", dict(lr_lambda=[lambda epoch: 1 / (1 + epoch), lambda epoch: 1.0])),
    ("MultiplicativeLR", dict(lr_lambda=lambda epoch: 1 - 1 / (epoch + 3))),
    ("MultiplicativeLR", dict(lr_lambda=[lambda epoch: 0.5, lambda epoch: 1.0])),
    ("CyclicLR", dict(base_lr=0.01, max_lr=0.2, step_size_up=4)),
    ("CyclicLR", dict(base_lr=[0.01, 0.02], max_lr=[0.2, 0.1], step_size_up=3, step_size_down=5, mode="triangular2")),
    ("CyclicLR", dict(base_lr=0.01, max_lr=0.2, step_size_up=4, mode="exp_range", gamma=0.95, base_momentum=0.5)),
    ("CyclicLR", dict(base_lr=0.01, max_lr=0.2, step_size_up=4, scale_fn=lambda x: 1 / x, cycle_momentum=False)),
    ("CyclicLR", dict(base_lr=0.01, max_lr=0.2, step_size_up=3, scale_fn=lambda x: 0.9 ** x, scale_mode="iterations")),
    ("CosineAnnealingWarmRestarts", dict(T_0=4)), ("CosineAnnealingWarmRestarts", dict(T_0=2, T_mult=3, eta_min=0.01)),
    ("OneCycleLR", dict(max_lr=1.0, total_steps=30)),
    ("OneCycleLR", dict(max_lr=[1.0, 0.3], epochs=6, steps_per_epoch=5, anneal_strategy="linear", pct_start=0.25)),
    ("OneCycleLR", dict(max_lr=1.0, total_steps=31, three_phase=True, div_factor=10, final_div_factor=50)),
    ("OneCycleLR", dict(max_lr=1.0, total_steps=40, cycle_momentum=False)),
]
STEPS = 30


def optimizer(library, kind="SGD"):
    ps = [library.nn.Parameter(library.zeros(1)), library.nn.Parameter(library.zeros(1))]
    options = dict(momentum=0.9) if kind == "SGD" else {}
    return getattr(library.optim, kind)([{"params": [ps[0]]}, {"params": [ps[1]], "lr": 0.02}], lr=0.1, **options)


def rates(opt):
    return [value for group in opt.param_groups for value in (group["lr"], group.get("momentum") or group["betas"][0])]


def follow(library, kind, build, steps=STEPS):
    """The rates (and momenta) of both groups from the start and after every step."""
    opt = optimizer(library, kind)
    scheduler = build(library.optim.lr_scheduler, opt)
    path = [rates(opt)]
    for _ in range(steps):
        opt.step()
        scheduler.step()
        path.append(rates(opt))
        assert scheduler.get_last_lr() == [group["lr"] for group in opt.param_groups]
    return path, getattr(scheduler, "last_epoch", None)  # a chain has none


def assert_same(ours, theirs):
    assert len(ours) == len(theirs)
    for step, (a, b) in enumerate(zip(ours, theirs)):
        assert a == pytest.approx(b, rel=1e-12, abs=1e-16), step


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize("name, options", SCHEDULES, ids=lambda v: v if isinstance(v, str) else ",".join(v))
def test_whole_schedule_is_pytorchs(name, options, kind):
    torch = pytest.importorskip("torch")
    (ours, epoch), (theirs, expected) = (follow(library, kind, lambda module, opt: getattr(module, name)(opt, **options))
                                         for library in (tinycnn, torch))
    assert_same(ours, theirs)
    assert epoch == expected == STEPS


def tools(module):
    """The module swa_utils beside a module lr_scheduler."""
    return (tinycnn if module is lr_scheduler else pytest.importorskip("torch")).optim.swa_utils


COMPOSED = {
    "warm-up, then cosine": lambda m, o: m.SequentialLR(
        o, [m.LinearLR(o, 0.1, total_iters=4), m.CosineAnnealingLR(o, 20, 0.001)], [5]),
    "three": lambda m, o: m.SequentialLR(
        o, [m.ConstantLR(o, 0.1, 2), m.ExponentialLR(o, 0.9), m.StepLR(o, 4, 0.5)], [3, 11]),
    "starts at the second": lambda m, o: m.SequentialLR(o, [m.ConstantLR(o, 0.1, 2), m.PolynomialLR(o, 9)], [0]),
    "chained": lambda m, o: m.ChainedScheduler([m.ConstantLR(o, 0.1, 4), m.ExponentialLR(o, 0.9), m.StepLR(o, 6)]),
    "a chain that knows its optimizer": lambda m, o: m.ChainedScheduler([m.CosineAnnealingLR(o, 9)], optimizer=o),
    "annealed to the rate of averaging": lambda m, o: tools(m).SWALR(o, [0.05, 0.3], anneal_epochs=5),
    "annealed along a line": lambda m, o: tools(m).SWALR(o, 0.05, anneal_epochs=7, anneal_strategy="linear"),
    "annealed at once": lambda m, o: tools(m).SWALR(o, 0.05, anneal_epochs=0),
    "a lambda last": lambda m, o: m.SequentialLR(
        o, [m.MultiStepLR(o, [1, 2]), m.LambdaLR(o, lambda epoch: 0.5 ** epoch)], [6]),
}


@pytest.mark.parametrize("name", COMPOSED)
def test_sequences_are_pytorchs(name):
    torch = pytest.importorskip("torch")
    (ours, epoch), (theirs, expected) = (follow(library, "SGD", COMPOSED[name]) for library in (tinycnn, torch))
    assert_same(ours, theirs)
    assert epoch == expected


def test_a_chain_in_a_sequence_starts_anew():
    opt = optimizer(tinycnn)
    chain = lr_scheduler.ChainedScheduler([lr_scheduler.ExponentialLR(opt, 0.5), lr_scheduler.StepLR(opt, 2)])
    scheduler = lr_scheduler.SequentialLR(opt, [lr_scheduler.ConstantLR(opt, 0.5, 9), chain], [3])
    path = []
    for _ in range(6):
        path.append(opt.param_groups[0]["lr"])
        opt.step(), scheduler.step()
    assert path == pytest.approx([0.05, 0.05, 0.05, 0.1, 0.05, 0.0025])


@pytest.mark.parametrize("name", ["StepLR", "MultiStepLR", "CosineAnnealingLR", "LinearLR", "ConstantLR", "ExponentialLR",
                                  "PolynomialLR", "LambdaLR"])
def test_a_step_to_an_epoch_is_pytorchs(name):
    torch = pytest.importorskip("torch")
    for options in (o for n, o in SCHEDULES if n == name and 0 not in o.get("milestones", ())):
        paths = []
        for library in (tinycnn, torch):
            opt = optimizer(library)
            scheduler = getattr(library.optim.lr_scheduler, name)(opt, **options)
            opt.step()
            paths.append([])
            for epoch in (3, 4, 1, 0, 7, 5):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # PyTorch would like to drop the argument
                    scheduler.step(epoch)
                paths[-1].append([*rates(opt), scheduler.last_epoch])
        assert_same(*paths)
    with pytest.raises(ValueError, match=f"{name}.step: epoch must be a whole number, not negative, got -1"):
        getattr(lr_scheduler, name)(optimizer(tinycnn), **options).step(-1)


def test_two_schedulers_on_one_optimizer_multiply_as_in_pytorch():
    torch = pytest.importorskip("torch")

    def run(library):
        opt, module = optimizer(library), library.optim.lr_scheduler
        both = [module.ExponentialLR(opt, 0.9), module.StepLR(opt, 5), module.LinearLR(opt, 0.2)]
        path = []
        for _ in range(20):
            opt.step()
            for scheduler in both:
                scheduler.step()
            path.append(rates(opt))
        return path
    assert_same(run(tinycnn), run(torch))


def test_fractions_of_epochs_are_pytorchs():
    torch = pytest.importorskip("torch")

    def run(library):
        opt = optimizer(library)
        scheduler = library.optim.lr_scheduler.CosineAnnealingWarmRestarts(opt, 3, 2)
        opt.step()
        path = []
        for batch in range(60):
            scheduler.step(batch / 4)
            path.append(rates(opt))
        return path
    assert_same(run(tinycnn), run(torch))


@pytest.mark.parametrize("options", [{}, dict(mode="max", threshold_mode="abs", threshold=0.3), dict(cooldown=2, patience=1),
                                     dict(min_lr=[0.05, 0.001], factor=0.5), dict(patience=0, threshold_mode="abs"),
                                     dict(mode="max", patience=2)])
def test_plateau_is_pytorchs(options):
    torch = pytest.importorskip("torch")
    metrics = [3, 2.5, 2.6, 2.6, 2.4999, 2.6, 2.7, 2.2, 2.3, 2.2, 2.2, 2.2, 2.3, 2.1, 2.5, 2.5, 2.5, 2.5, 2.5, 2.5, 2.5, 2.5]

    def run(library):
        opt = optimizer(library)
        scheduler = library.optim.lr_scheduler.ReduceLROnPlateau(opt, **{"patience": 3, **options})
        path = []
        for value in metrics:
            scheduler.step(library.tensor(value))
            path.append([*rates(opt), *scheduler.get_last_lr()])
        return path
    assert_same(run(tinycnn), run(torch))


@pytest.mark.parametrize("name, options", [*SCHEDULES, *COMPOSED.items()], ids=lambda v: v if isinstance(v, str) else "")
def test_pytorchs_schedule_continues_here(name, options):
    torch = pytest.importorskip("torch")
    runs = []
    for library in (torch, tinycnn):
        opt = optimizer(library)
        module = library.optim.lr_scheduler
        runs.append((opt, options(module, opt) if callable(options) else getattr(module, name)(opt, **options)))
    (source, source_scheduler), (opt, scheduler) = runs
    for _ in range(7):
        source.step(), source_scheduler.step()
    opt.load_state_dict(source.state_dict())
    scheduler.load_state_dict(source_scheduler.state_dict())
    for _ in range(8):
        for step in (source, source_scheduler, opt, scheduler):
            step.step()
        assert rates(opt) == pytest.approx(rates(source), rel=1e-12, abs=1e-16)


def test_a_callable_object_is_saved_with_its_attributes():
    class Warm:
        def __init__(self, epochs):
            self.epochs = epochs

        def __call__(self, epoch):
            return min(1, (epoch + 1) / self.epochs)

    for build in (lambda f: lr_scheduler.LambdaLR(optimizer(tinycnn), f),
                  lambda f: lr_scheduler.CyclicLR(optimizer(tinycnn), 0.1, 1, 5, scale_fn=f)):
        saved, loaded = Warm(10), Warm(3)
        build(loaded).load_state_dict(build(saved).state_dict())
        assert loaded.epochs == 10


RESUMED = [*SCHEDULES, *((name, build) for name, build in COMPOSED.items())]


@pytest.mark.parametrize("name, options", RESUMED, ids=lambda v: v if isinstance(v, str) else "")
def test_a_saved_schedule_continues(name, options):
    def build(opt):
        return options(lr_scheduler, opt) if callable(options) else getattr(lr_scheduler, name)(opt, **options)

    def steps(opt, scheduler, count):
        for _ in range(count):
            opt.step()
            scheduler.step()
        return rates(opt)
    opt = optimizer(tinycnn)
    scheduler = build(opt)
    steps(opt, scheduler, 7)
    opt2 = optimizer(tinycnn)
    scheduler2 = build(opt2)
    opt2.load_state_dict(opt.state_dict())
    scheduler2.load_state_dict(scheduler.state_dict())
    assert "optimizer" not in scheduler.state_dict()
    for _ in range(8):
        assert steps(opt, scheduler, 1) == steps(opt2, scheduler2, 1)
    assert getattr(scheduler2, "last_epoch", 15) == 15


def test_last_epoch_continues_from_the_rates_in_the_optimizer_as_in_pytorch():
    torch = pytest.importorskip("torch")

    def run(library, name, options):
        opt = optimizer(library)
        for group in opt.param_groups:
            group["initial_lr"] = 0.4
        scheduler = getattr(library.optim.lr_scheduler, name)(opt, **options, last_epoch=4)
        path = [rates(opt)]
        for _ in range(10):
            opt.step()
            scheduler.step()
            path.append(rates(opt))
        return path
    for name, options in SCHEDULES:
        if name not in ("OneCycleLR", "CyclicLR") and "T_mult" not in options:  # PyTorch forgets cycles that went by
            assert_same(run(tinycnn, name, options), run(torch, name, options))
    with pytest.raises(KeyError, match=r"param_groups\[0\] has no 'initial_lr', which last_epoch=3 needs"):
        lr_scheduler.StepLR(optimizer(tinycnn), 3, last_epoch=3)


def test_closed_forms():
    opt = optimizer(tinycnn)
    scheduler = lr_scheduler.CosineAnnealingLR(opt, 12, 0.01)
    for epoch in range(40):
        expected = 0.01 + 0.09 * (1 + math.cos(math.pi * epoch / 12)) / 2
        assert opt.param_groups[0]["lr"] == pytest.approx(expected, rel=1e-9)
        opt.step()
        scheduler.step()


def test_a_step_before_the_optimizers_warns_once():
    opt = optimizer(tinycnn)
    scheduler = lr_scheduler.StepLR(opt, 2)
    with pytest.warns(UserWarning, match=r"StepLR.step\(\) was called before optimizer.step\(\)"):
        scheduler.step()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scheduler.step()


@pytest.mark.parametrize("build, words", [
    (lambda o: lr_scheduler.StepLR(o, 0), "StepLR: step_size must be a positive integer, got 0"),
    (lambda o: lr_scheduler.CosineAnnealingLR(o, 2.5), "CosineAnnealingLR: T_max must be a positive integer, got 2.5"),
    (lambda o: lr_scheduler.LinearLR(o, start_factor=0), "start_factor must be above 0 and at most 1, got 0"),
    (lambda o: lr_scheduler.LinearLR(o, end_factor=1.5), "end_factor must be between 0 and 1, got 1.5"),
    (lambda o: lr_scheduler.ConstantLR(o, 2), "factor must be above 0 and at most 1, got 2"),
    (lambda o: lr_scheduler.LambdaLR(o, [abs]), "lr_lambda must be one function or 2"),
    (lambda o: lr_scheduler.MultiplicativeLR(o, [abs]), "MultiplicativeLR: lr_lambda must be one function or 2"),
    (lambda o: lr_scheduler.CyclicLR(o, 0.1, 1, mode="saw"), "CyclicLR: mode must be 'triangular', .*, got 'saw'"),
    (lambda o: lr_scheduler.CyclicLR(o, 0.1, 1, scale_mode="x"), "scale_mode must be 'cycle' or 'iterations', got 'x'"),
    (lambda o: lr_scheduler.CyclicLR(tinycnn.optim.Adagrad([tinycnn.zeros(1)]), 0.1, 1), "Adagrad has neither momentum"),
    (lambda o: lr_scheduler.ChainedScheduler([]), "ChainedScheduler: schedulers is empty"),
    (lambda o: lr_scheduler.ChainedScheduler([lr_scheduler.StepLR(o, 1), lr_scheduler.ReduceLROnPlateau(o)]),
     r"schedulers\[1\] must be a schedule of epochs on the same optimizer"),
    (lambda o: swa_utils.SWALR(o, 0.1, anneal_strategy="x"), "SWALR: anneal_strategy must be 'cos' or 'linear', got 'x'"),
    (lambda o: swa_utils.SWALR(o, 0.1, -1), "SWALR: anneal_epochs must be an integer that is not negative, got -1"),
    (lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 3, 0), "T_mult must be a positive integer, got 0"),
    (lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 3).step(-1), "epoch must not be negative, got -1"),
    (lambda o: lr_scheduler.OneCycleLR(o, 1.0), "give total_steps, or both epochs and steps_per_epoch"),
    (lambda o: lr_scheduler.OneCycleLR(o, 1.0, 10, pct_start=2), "pct_start must be between 0 and 1, got 2"),
    (lambda o: lr_scheduler.OneCycleLR(o, 1.0, 10, anneal_strategy="sine"), "anneal_strategy must be 'cos' or 'linear'"),
    (lambda o: lr_scheduler.OneCycleLR(o, [1.0], 10), "max_lr must be one number or 2, one a parameter group, got 1"),
    (lambda o: lr_scheduler.SequentialLR(o, [lr_scheduler.StepLR(o, 1)], [3]), "one fewer than schedulers, got 1 and 1"),
    (lambda o: lr_scheduler.SequentialLR(o, [lr_scheduler.StepLR(optimizer(tinycnn), 1)], []), r"schedulers\[0\] must be"),
    (lambda o: lr_scheduler.ReduceLROnPlateau(o, "least"), "mode must be 'min' or 'max', got 'least'"),
    (lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=1), "factor must be below 1, got 1"),
    (lambda o: lr_scheduler.ReduceLROnPlateau(o, threshold_mode="x"), "threshold_mode must be 'rel' or 'abs', got 'x'"),
])
def test_bad_arguments_are_refused(build, words):
    with pytest.raises(ValueError, match=words):
        build(optimizer(tinycnn))


def test_a_one_cycle_ends_and_needs_a_momentum():
    p = tinycnn.nn.Parameter(tinycnn.zeros(1))
    scheduler = lr_scheduler.OneCycleLR(SGD([p], momentum=0.9), 1.0, 2)
    scheduler.optimizer.step()
    scheduler.step(), scheduler.step()
    with pytest.raises(ValueError, match="step 3 of a schedule of 2 steps"):
        scheduler.step()
    with pytest.raises(ValueError, match="Adagrad has neither momentum nor betas"):
        lr_scheduler.OneCycleLR(tinycnn.optim.Adagrad([p]), 1.0, 2)
    assert lr_scheduler.OneCycleLR(Adam([p]), 1.0, 20).optimizer.param_groups[0]["betas"] == (0.95, 0.999)


@pytest.mark.parametrize("build", [lambda x: lr_scheduler.StepLR(x, 1), lr_scheduler.ReduceLROnPlateau])
def test_an_optimizer_is_needed(build):
    with pytest.raises(TypeError, match="optimizer must be an Optimizer, got list"):
        build([])
    with pytest.raises(NotImplementedError, match=r"define get_lr\(self\)"):
        lr_scheduler.LRScheduler(optimizer(tinycnn))
