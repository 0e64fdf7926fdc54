"""Optimizers: the paths of PyTorch's, groups, states, and what is refused."""
import itertools

import numpy as np
import pytest

import tinycnn
from tinycnn import nn, optim
from tinycnn.engine.formula import takes_roads
from tinycnn.nn import Parameter

RNG = np.random.default_rng(0)
START = [RNG.standard_normal((3, 2)), RNG.standard_normal(4)]
GRADS = [[RNG.standard_normal(a.shape) for a in START] for _ in range(20)]


def grid(**options):
    return [dict(zip(options, values)) for values in itertools.product(*options.values())]


PATHS = [("SGD", o) for o in grid(lr=[0.1], momentum=[0, 0.9], dampening=[0, 0.3], weight_decay=[0, 0.1],
                                  nesterov=[False, True], maximize=[False, True])
         if not o["nesterov"] or o["momentum"] and not o["dampening"]]
PATHS += [("Adagrad", o) for o in grid(lr=[0.1], lr_decay=[0, 0.1], weight_decay=[0, 0.1], eps=[1e-10, 0.1],
                                       initial_accumulator_value=[0, 0.5], maximize=[False, True])]
PATHS += [("RMSprop", o) for o in grid(lr=[0.01], alpha=[0.99, 0.5], eps=[1e-8, 0.1], weight_decay=[0, 0.1],
                                       momentum=[0, 0.9], centered=[False, True], maximize=[False, True])]
PATHS += [(name, o) for name in ("Adam", "AdamW")
          for o in grid(lr=[0.1], betas=[(0.9, 0.999), (0.5, 0.8)], eps=[1e-8, 0.1], weight_decay=[0, 0.1],
                        amsgrad=[False, True], maximize=[False, True])]
PATHS += [("Adadelta", o) for o in grid(lr=[1.0, 0.1], rho=[0.9, 0.5], eps=[1e-6, 0.1], weight_decay=[0, 0.1],
                                        maximize=[False, True])]
PATHS += [("Rprop", o) for o in grid(lr=[0.1], etas=[(0.5, 1.2), (0.3, 2)], step_sizes=[(1e-6, 50), (0.05, 0.2)],
                                     maximize=[False, True])]
PATHS += [("Adamax", o) for o in grid(lr=[0.1], betas=[(0.9, 0.999), (0.5, 0.8)], eps=[1e-8, 0.1], weight_decay=[0, 0.1],
                                      maximize=[False, True])]
PATHS += [("NAdam", o) for o in grid(lr=[0.1], betas=[(0.9, 0.999), (0.5, 0.8)], eps=[1e-8, 0.1], weight_decay=[0, 0.1],
                                     momentum_decay=[4e-3, 0.5], decoupled_weight_decay=[False, True])]
PATHS += [("RAdam", o) for o in grid(lr=[0.1], betas=[(0.9, 0.999), (0.5, 0.8)], eps=[1e-8, 0.1], weight_decay=[0, 0.1],
                                     decoupled_weight_decay=[False, True], maximize=[False, True])]
PATHS += [("ASGD", o) for o in grid(lr=[0.1], lambd=[1e-4, 0.1], alpha=[0.75, 0.5], t0=[1e6, 5], weight_decay=[0, 0.1],
                                    maximize=[False, True])]
PATHS += [("Adafactor", o) for o in grid(lr=[0.1, 10], beta2_decay=[-0.8, -0.3], eps=[(None, 1e-3), (0.1, 2)], d=[1, 1.5],
                                         weight_decay=[0, 0.1], maximize=[False, True])]
PATHS += [("Adam", dict(lr=0.1, weight_decay=0.1, decoupled_weight_decay=True)), ("NAdam", dict(maximize=True))]
OPTIMIZERS = ["SGD", "Adagrad", "Adadelta", "Rprop", "RMSprop", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "ASGD",
              "Adafactor"]
PATHS += [(name, {}) for name in OPTIMIZERS]
OURS = ["LARS", "LAMB"]  # PyTorch has none


def parameters(library, dtype="float64"):
    return [library.nn.Parameter(library.tensor(a, dtype=getattr(library, dtype))) for a in START]


@pytest.fixture
def torch():
    """PyTorch, with numbers in its states in float64 as ours are."""
    torch = pytest.importorskip("torch")
    torch.set_default_dtype(torch.float64)
    yield torch
    torch.set_default_dtype(torch.float32)


def give(library, ps, grads):
    for p, g in zip(ps, grads):
        p.grad = library.tensor(g, dtype=p.dtype)


@pytest.mark.parametrize("name, options", PATHS, ids=lambda v: v if isinstance(v, str) else ",".join(map(str, v.values())))
def test_twenty_steps_are_pytorchs(name, options, torch):
    runs = []
    for library in (tinycnn, torch):
        ps = parameters(library)
        optimizer = getattr(library.optim, name)(ps, **options)
        for grads in GRADS:
            give(library, ps, grads)
            optimizer.step()
        runs.append(([p.detach().numpy() for p in ps], optimizer.state_dict()))
    (ours, our_state), (theirs, their_state) = runs
    for a, b in zip(ours, theirs):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
    assert our_state["state"].keys() == their_state["state"].keys()
    for i, values in our_state["state"].items():
        wanted = {k: v for k, v in their_state["state"][i].items() if v is not None}
        assert values.keys() == wanted.keys()
        for key, value in values.items():
            value = value.numpy() if isinstance(value, tinycnn.Tensor) else value
            expected = wanted[key].numpy()
            np.testing.assert_allclose(value, expected, rtol=1e-10, atol=1e-12)
    assert our_state["param_groups"][0]["params"] == [0, 1]
    assert our_state["param_groups"][0].items() <= their_state["param_groups"][0].items()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_constructor_defaults_are_pytorchs(name, torch):
    ours, theirs = (getattr(library.optim, name)(parameters(library)).defaults for library in (tinycnn, torch))
    assert ours.items() <= theirs.items()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_pytorchs_state_continues_here(name, torch):
    options = dict(momentum=0.9) if name in ("SGD", "RMSprop") else {}
    ps, theirs = parameters(tinycnn), parameters(torch)
    source, twin = (getattr(library.optim, name)(own, lr=0.05, **options)
                    for library, own in ((torch, theirs), (tinycnn, ps)))
    for grads in GRADS[:5]:
        give(torch, theirs, grads)
        source.step()
    state = source.state_dict()
    state["state"] = {i: {k: None if v is None else tinycnn.tensor(v.numpy()) for k, v in values.items() if v is not None}
                      for i, values in state["state"].items()}
    twin.load_state_dict(state)
    for p, q in zip(ps, theirs):
        p.array[...] = q.detach().numpy()
    for grads in GRADS[5:]:
        give(torch, theirs, grads)
        give(tinycnn, ps, grads)
        source.step(), twin.step()
    for p, q in zip(ps, theirs):
        np.testing.assert_allclose(p.array, q.detach().numpy(), rtol=1e-10, atol=1e-12)


def test_pytorchs_state_without_momentum_continues_here(torch):
    source = torch.optim.SGD(parameters(torch), lr=0.05)
    give(torch, source.param_groups[0]["params"], GRADS[0])
    source.step()
    ps = parameters(tinycnn)
    twin = optim.SGD(ps)
    twin.load_state_dict(source.state_dict())
    give(tinycnn, ps, GRADS[1])
    twin.step()
    np.testing.assert_allclose(ps[0].array, START[0] - 0.05 * GRADS[1][0])


# ---- large batches: the algorithms of the papers, once more, with vectors for layers ----

def lars(w, grads, lr, momentum, weight_decay, trust, eps):
    v = np.zeros_like(w)
    for g in grads:
        w_norm, g_norm = np.linalg.norm(w), np.linalg.norm(g)
        local = trust * w_norm / (g_norm + weight_decay * w_norm + eps) if w_norm and g_norm else 1.0
        v = momentum * v + lr * local * (g + weight_decay * w)
        w = w - v
    return w


def lamb(x, grads, lr, betas, weight_decay, eps):
    m = v = np.zeros_like(x)
    for t, g in enumerate(grads, 1):
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g ** 2
        r = (m / (1 - betas[0] ** t)) / (np.sqrt(v / (1 - betas[1] ** t)) + eps)
        u = r + weight_decay * x
        trust = np.linalg.norm(x) / np.linalg.norm(u) if np.linalg.norm(x) and np.linalg.norm(u) else 1.0
        x = x - lr * trust * u
    return x


@pytest.mark.parametrize("weight_decay", [0, 0.1])
@pytest.mark.parametrize("start", [START, [a * 0 for a in START]], ids=["random", "zero"])
def test_large_batch_rules_are_their_papers(start, weight_decay):
    for name, rule, options in (("LARS", lars, dict(lr=2.0, momentum=0.8, trust_coefficient=0.01, eps=1e-6)),
                                ("LAMB", lamb, dict(lr=0.1, betas=(0.8, 0.95), eps=1e-6))):
        ps = [Parameter(tinycnn.tensor(a)) for a in start]
        optimizer = getattr(optim, name)(ps, weight_decay=weight_decay, **options)
        for grads in GRADS:
            give(tinycnn, ps, grads)
            optimizer.step()
        if name == "LARS":
            options["trust"] = options.pop("trust_coefficient")
        for i, p in enumerate(ps):
            expected = rule(start[i], [grads[i] for grads in GRADS], weight_decay=weight_decay, **options)
            np.testing.assert_allclose(p.array, expected, rtol=1e-12, atol=1e-14)


def test_lars_without_trust_is_sgd():
    runs = []
    for build in (lambda ps: optim.LARS(ps, lr=0.1, momentum=0.9, weight_decay=0.1, trust_coefficient=None),
                  lambda ps: optim.SGD(ps, lr=0.1, momentum=0.9, weight_decay=0.1)):
        ps = parameters(tinycnn)
        optimizer = build(ps)
        for grads in GRADS:
            give(tinycnn, ps, grads)
            optimizer.step()
        runs.append([p.array for p in ps])
    np.testing.assert_allclose(runs[0][0], runs[1][0], rtol=1e-12)


@pytest.mark.parametrize("name", OURS)
def test_steps_of_large_batch_rules_do_not_depend_on_the_size_of_the_gradient(name):
    runs = []
    for scale in (1, 1000):
        ps = parameters(tinycnn)
        optimizer = getattr(optim, name)(ps, eps=0)
        for grads in GRADS[:5]:
            give(tinycnn, ps, [g * scale for g in grads])
            optimizer.step()
        runs.append(ps[0].array)
    np.testing.assert_allclose(*runs, rtol=1e-10)
    assert np.abs(runs[0] - START[0]).max() > 1e-4


# ---- pieces ----

@pytest.fixture
def pieces(monkeypatch):
    """Sets the number of entries that are updated at once on a CPU."""
    road = pytest.importorskip("tinycnn.cpu.optim")
    if not takes_roads():
        pytest.skip("all roads are closed")
    return lambda size: monkeypatch.setattr(road, "PIECE", size)


@pytest.mark.parametrize("name, options", [
    ("SGD", dict(momentum=0.9, dampening=0.1, weight_decay=0.1)), ("Adagrad", {}), ("Adadelta", {}), ("Rprop", {}),
    ("RMSprop", dict(momentum=0.9, centered=True)), ("Adam", dict(amsgrad=True)), ("AdamW", {}), ("Adamax", {}),
    ("NAdam", dict(maximize=True)), ("RAdam", {})])
def test_a_large_parameter_is_updated_in_pieces_as_if_at_once(name, options, pieces, monkeypatch):
    shape = (7, 5, 3)
    start, grads = RNG.standard_normal(shape), [RNG.standard_normal(shape) for _ in range(4)]
    sizes, runs = [], []
    for piece in (1000, 8):
        pieces(piece)
        p = Parameter(tinycnn.tensor(start))
        optimizer = getattr(optim, name)([p], **options)
        update = optimizer.update
        monkeypatch.setattr(optimizer, "update", lambda p, *rest: (sizes.append(p.size), update(p, *rest)))
        for g in grads:
            p.grad = tinycnn.tensor(np.asfortranarray(g))
            optimizer.step()
        runs.append((p, optimizer.state[p]))
    assert (runs[0][0].array == runs[1][0].array).all()
    assert all((np.asarray(value) == runs[1][1][key]).all() for key, value in runs[0][1].items())
    assert sizes == [105] * 4 + ([8] * 13 + [1]) * 4


def test_parameters_in_other_memory_orders_are_updated(pieces):
    pieces(4)
    base = tinycnn.tensor(START[0].copy())
    p = Parameter(base.t())
    optimizer = optim.Adam([p], lr=0.1)
    q = parameters(tinycnn)[0]
    other = optim.Adam([q], lr=0.1)
    for grads in GRADS[:3]:
        p.grad, q.grad = tinycnn.tensor(grads[0].T), tinycnn.tensor(grads[0])
        optimizer.step(), other.step()
    assert (p.array == q.array.T).all() and p.array.base is base.array


@pytest.mark.parametrize("base", [optim.Optimizer, optim.SGD])
def test_a_rule_sees_the_whole_parameter_unless_it_says_that_it_is_elementwise(base, pieces):
    pieces(2)
    sizes = []

    class Normalized(base):
        def __init__(self, params):
            super().__init__(params, {} if base is optim.Optimizer else 1)

        def update(self, p, dp, state, group):
            sizes.append(p.size)
            p -= dp / np.linalg.norm(dp)

    class Said(Normalized):
        elementwise = True

    p = Parameter(tinycnn.zeros(4))
    p.grad = tinycnn.ones(4)
    Normalized([p]).step()
    assert p.tolist() == [-0.5] * 4 and sizes == [4]
    Said([p]).step()
    assert sizes == [4, 2, 2]


def test_plainly_a_rule_gets_the_whole_parameter(pieces):
    pieces(2)
    p, q = (Parameter(tinycnn.zeros(5)) for _ in range(2))
    p.grad, q.grad = tinycnn.ones(5), tinycnn.ones(5)
    optim.Adam([p]).step()
    with tinycnn.plainly():
        optimizer = optim.Adam([q])
        sizes, update = [], optimizer.update
        optimizer.update = lambda p, *rest: (sizes.append(p.size), update(p, *rest))
        optimizer.step()
    assert sizes == [5] and (p.array == q.array).all()


def test_options_about_execution_change_nothing_and_unknown_ones_are_refused():
    p = Parameter(tinycnn.zeros(2))
    for name in OPTIMIZERS:
        optimizer = getattr(optim, name)([p], foreach=True, capturable=True)
        assert not {"foreach", "fused", "capturable"} & set(optimizer.defaults)
    assert optim.AdamW([p], fused=True)
    with pytest.raises(TypeError, match="unexpected keyword argument 'momentun'"):
        optim.SGD([p], momentun=0.9)
    with pytest.raises(ValueError, match="Adam: differentiable=True is not supported"):
        optim.Adam([p], differentiable=True)


def test_an_optimizer_with_a_step_of_its_own_gets_its_state_back_as_tensors():
    class Heavy(optim.Optimizer):
        def __init__(self, params, lr=0.1):
            super().__init__(params, dict(lr=lr))

        @tinycnn.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    state = self.state[p]
                    if not state:
                        state["step"], state["buffer"] = 0, tinycnn.zeros_like(p)
                    state["step"] += 1
                    state["buffer"].mul_(0.9).add_(p.grad)
                    p.add_(state["buffer"], alpha=-group["lr"])

    ps, twins = parameters(tinycnn), parameters(tinycnn)
    first, second, sgd = Heavy(ps), Heavy(twins), optim.SGD(parameters(tinycnn), lr=0.1, momentum=0.9)
    for grads in GRADS[:4]:
        give(tinycnn, ps, grads), give(tinycnn, sgd.param_groups[0]["params"], grads)
        first.step(), sgd.step()
    second.load_state_dict(first.state_dict())
    assert isinstance(second.state[twins[0]]["buffer"], tinycnn.Tensor) and second.state[twins[0]]["step"] == 4
    second.state[twins[0]]["buffer"].zero_()
    assert first.state[ps[0]]["buffer"].array.any()
    np.testing.assert_allclose(ps[0].array, sgd.param_groups[0]["params"][0].array, rtol=1e-12)


@pytest.mark.parametrize("name, options", [("SGD", dict(momentum=0.9, nesterov=True, weight_decay=0.1)), ("SGD", {}),
                                           ("Adagrad", dict(lr_decay=0.1)), ("RMSprop", dict(momentum=0.9, centered=True)),
                                           ("Adam", dict(amsgrad=True, weight_decay=0.1)), ("AdamW", {}), ("Rprop", {}),
                                           ("Adadelta", {}), ("Adamax", {}), ("NAdam", dict(momentum_decay=0.1)),
                                           ("RAdam", dict(betas=(0.5, 0.5))), ("LARS", {}), ("LAMB", {}), ("ASGD", {}),
                                           ("Adafactor", {})])
def test_float32_stays_and_memory_stays_and_gradients_are_untouched(name, options):
    ps = parameters(tinycnn, "float32")
    arrays, writes = [p.array for p in ps], [p._version.writes for p in ps]
    optimizer = getattr(optim, name)(ps, **options)
    for grads in GRADS[:3]:
        give(tinycnn, ps, grads)
        before = [p.grad.array.copy() for p in ps]
        optimizer.step()
        assert all((p.grad.array == g).all() for p, g in zip(ps, before))
    assert all(p.array is a and p.dtype == tinycnn.float32 and p._version.writes > w for p, a, w in zip(ps, arrays, writes))
    assert all(v.dtype == tinycnn.float32 for s in optimizer.state.values() for k, v in s.items()
               if k not in optimizer.scalars)


def test_an_update_is_noticed_by_a_graph_that_saved_the_weights():
    layer = nn.Linear(2, 2)
    y = layer(tinycnn.randn(1, 2, requires_grad=True)).sum()
    layer.weight.grad = tinycnn.zeros(2, 2)
    optim.SGD(layer.parameters(), lr=0.1).step()
    with pytest.raises(RuntimeError, match="changed in place"):
        y.backward()


def test_parameters_without_gradient_stay_and_have_no_state():
    a, b = parameters(tinycnn)
    optimizer = optim.Adam([a, b])
    a.grad = tinycnn.tensor(GRADS[0][0])
    optimizer.step()
    assert (b.array == START[1]).all() and (a.array != START[0]).all() and list(optimizer.state) == [a]


def test_groups_have_options_of_their_own():
    a, b = parameters(tinycnn)
    optimizer = optim.SGD([{"params": a}, {"params": [b], "lr": 0.5, "momentum": 0.9}], lr=0.1)
    give(tinycnn, (a, b), GRADS[0])
    optimizer.step()
    np.testing.assert_allclose(a.array, START[0] - 0.1 * GRADS[0][0])
    np.testing.assert_allclose(b.array, START[1] - 0.5 * GRADS[0][1])
    assert optimizer.param_groups[0]["momentum"] == 0 and optimizer.param_groups[1]["momentum"] == 0.9
    c = Parameter(tinycnn.zeros(2))
    optimizer.add_param_group({"params": [c], "lr": 3})
    assert [g["lr"] for g in optimizer.param_groups] == [0.1, 0.5, 3]
    assert optimizer.state_dict()["param_groups"][2]["params"] == [2]


def test_named_parameters_are_accepted():
    layer = nn.Linear(2, 1)
    optimizer = optim.SGD(layer.named_parameters(), lr=0.1)
    assert optimizer.param_groups[0]["params"][0] is layer.weight


def test_step_runs_a_closure_with_recording_on():
    p = Parameter(tinycnn.tensor([1.0]))
    optimizer = optim.SGD([p], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss
    with tinycnn.no_grad():
        assert optimizer.step(closure).item() == 1
    assert p.item() == pytest.approx(0.8)


def test_zero_grad_forgets_or_fills():
    ps = parameters(tinycnn)
    optimizer = optim.SGD(ps)
    give(tinycnn, ps, GRADS[0])
    optimizer.zero_grad(set_to_none=False)
    assert all(not p.grad.array.any() for p in ps)
    optimizer.zero_grad()
    assert all(p.grad is None for p in ps)


@pytest.mark.parametrize("name", OPTIMIZERS + OURS)
def test_a_loaded_state_continues_and_is_independent(name):
    options = dict(momentum=0.9) if name in ("SGD", "RMSprop") else {}

    def run(steps, ps, optimizer):
        for grads in steps:
            give(tinycnn, ps, grads)
            optimizer.step()
    ps = parameters(tinycnn)
    first = getattr(optim, name)(ps, lr=0.05, **options)
    run(GRADS[:5], ps, first)
    twins = [Parameter(p.detach().clone()) for p in ps]
    second = getattr(optim, name)(twins, lr=7.0, **options)
    second.load_state_dict(first.state_dict())
    assert second.param_groups[0]["lr"] == 0.05 and second.param_groups[0]["params"][0] is twins[0]
    run(GRADS[5:], ps, first)
    run(GRADS[5:], twins, second)
    assert all((p.array == q.array).all() for p, q in zip(ps, twins))


def test_a_loaded_state_takes_the_dtype_of_the_parameters():
    ps = parameters(tinycnn)
    first = optim.Adam(ps)
    give(tinycnn, ps, GRADS[0])
    first.step()
    second = optim.Adam(parameters(tinycnn, "float32"))
    second.load_state_dict(first.state_dict())
    state = second.state[second.param_groups[0]["params"][0]]
    assert state["exp_avg"].dtype == tinycnn.float32 and state["step"] == 1


def test_a_state_of_other_groups_is_refused():
    a, b = parameters(tinycnn)
    with pytest.raises(ValueError, match=r"this SGD have \[2\] parameters, those of the loaded state \[1\]"):
        optim.SGD([a, b]).load_state_dict(optim.SGD([a]).state_dict())


@pytest.mark.parametrize("build, words", [
    (lambda p: optim.SGD([p], lr=-1), "SGD: lr must not be negative, got -1"),
    (lambda p: optim.SGD([p], lr=float("nan")), "SGD: lr must not be negative, got nan"),
    (lambda p: optim.SGD([p], momentum=-0.1), "SGD: momentum must not be negative, got -0.1"),
    (lambda p: optim.SGD([p], weight_decay=-0.1), "SGD: weight_decay must not be negative"),
    (lambda p: optim.SGD([p], nesterov=True), "nesterov needs a positive momentum and no dampening, got momentum=0"),
    (lambda p: optim.SGD([p], momentum=0.9, dampening=0.1, nesterov=True), "no dampening, got momentum=0.9, dampening=0.1"),
    (lambda p: optim.SGD([{"params": [p], "lr": -2}], lr=1), "SGD: lr must not be negative, got -2"),
    (lambda p: optim.Adam([p], betas=(1.0, 0.9)), r"Adam: betas must be two numbers in \[0, 1\), got \(1.0, 0.9\)"),
    (lambda p: optim.AdamW([p], betas=(0.9,)), "AdamW: betas must be two numbers"),
    (lambda p: optim.Adam([p], eps=-1), "Adam: eps must not be negative"),
    (lambda p: optim.RMSprop([p], alpha=-1), "RMSprop: alpha must not be negative"),
    (lambda p: optim.Adagrad([p], lr_decay=-1), "Adagrad: lr_decay must not be negative"),
    (lambda p: optim.Adadelta([p], rho=1.1), "Adadelta: rho must be between 0 and 1, got 1.1"),
    (lambda p: optim.Rprop([p], etas=(1.2, 0.5)), r"Rprop: etas must be one number between 0 and 1 .*, got \(1.2, 0.5\)"),
    (lambda p: optim.NAdam([p], momentum_decay=-1), "NAdam: momentum_decay must not be negative, got -1"),
    (lambda p: optim.RAdam([p], betas=(0.9, 1.0)), r"RAdam: betas must be two numbers in \[0, 1\)"),
    (lambda p: optim.Adamax([p], weight_decay=-1), "Adamax: weight_decay must not be negative"),
    (lambda p: optim.ASGD([p], lr=-1), "ASGD: lr must not be negative, got -1"),
    (lambda p: optim.Adafactor([p], beta2_decay=0.1), "Adafactor: beta2_decay must not be positive, got 0.1"),
    (lambda p: optim.Adafactor([p], d=0.5), "Adafactor: d must be at least 1, got 0.5"),
    (lambda p: optim.Adafactor([p], eps=(0, None)), r"Adafactor: eps must be .*, got \(0, None\)"),
    (lambda p: optim.LBFGS([p], line_search_fn="armijo"), "line_search_fn must be None or 'strong_wolfe', got 'armijo'"),
    (lambda p: optim.LBFGS([{"params": [p]}, {"params": [Parameter(tinycnn.zeros(2))]}]), "LBFGS: all parameters must be"),
    (lambda p: optim.LARS([p], trust_coefficient=-1), "LARS: trust_coefficient must not be negative, got -1"),
    (lambda p: optim.LAMB([p], eps=-1), "LAMB: eps must not be negative, got -1"),
    (lambda p: optim.SGD([]), "SGD: params is empty"),
    (lambda p: optim.SGD([p * 2]), r"can't optimize a non-leaf Tensor \(shape \(2,\), made by Mul\)"),
    (lambda p: optim.SGD([p, p]), r"a parameter of shape \(2,\) appears twice"),
    (lambda p: optim.SGD([{"params": [p]}, {"params": [p]}]), "appears twice"),
    (lambda p: optim.SGD([{"lr": 1}]), "needs the key 'params'"),
])
def test_bad_values_are_refused(build, words):
    with pytest.raises(ValueError, match=words):
        build(Parameter(tinycnn.zeros(2)))


@pytest.mark.parametrize("params, words", [
    (tinycnn.zeros(2), "iterable of Tensors or of dictionaries, got one Tensor"),
    ([3], "params must be Tensors, got int"),
    ([{"params": [tinycnn.zeros(1)]}, 3], "must be a dictionary, got int"), ([{"params": {1}}], "a set has not")])
def test_bad_types_are_refused(params, words):
    with pytest.raises(TypeError, match=words):
        optim.SGD(params)


def test_an_optimizer_is_one_method():
    class SignDescent(optim.Optimizer):
        def __init__(self, params, lr):
            super().__init__(params, dict(lr=lr))

        def update(self, p, dp, state, group):
            p -= group["lr"] * np.sign(dp)

    p = Parameter(tinycnn.zeros(2))
    optimizer = SignDescent([p], lr=1)
    p.grad = tinycnn.tensor([5.0, -0.1])
    optimizer.step()
    assert p.tolist() == [-1, 1] and repr(optimizer) == "SignDescent (\nParameter Group 0\n    lr: 1\n)"
    with pytest.raises(NotImplementedError, match="Optimizer: define update"):
        base = optim.Optimizer([p], {})
        base.step()


def test_an_option_without_default_must_be_in_every_group():
    p = Parameter(tinycnn.zeros(2))
    with pytest.raises(ValueError, match="lacks the option 'lr', which has no default"):
        optim.Optimizer([{"params": [p]}], dict(lr=optim.optimizer.required))


RATES = {"Adagrad": 0.5, "Adadelta": 50.0, "RAdam": 0.2, "LARS": 20.0, "LAMB": 0.02}


@pytest.mark.parametrize("name", OPTIMIZERS + OURS)
def test_each_finds_the_minimum_of_a_bowl(name):
    p = Parameter(tinycnn.tensor([3.0, -2.0]))
    optimizer = getattr(optim, name)([p], lr=RATES.get(name, 0.05))
    for _ in range(300):
        optimizer.zero_grad()
        ((p - tinycnn.tensor([1.0, 2.0])) ** 2).sum().backward()
        optimizer.step()
    np.testing.assert_allclose(p.array, [1, 2], atol=0.1)


def test_momentum_works_on_a_parameter_that_is_one_number():
    p = tinycnn.tensor(1.0, requires_grad=True)
    optimizer = optim.SGD([p], lr=1.0, momentum=0.5)
    for _ in range(3):
        p.grad = tinycnn.tensor(1.0)
        optimizer.step()
    assert p.item() == 1 - 1 - 1.5 - 1.75
