"""What is no longer used is freed at once, without Python's collector of cycles: memory is large, and the collector is late.

A function that refers to itself through a variable around it, an error that is kept, a node that knows its own output: each
makes a cycle, and what it holds stays until the collector comes by.
"""
import gc
import io

import numpy as np
import pytest

import tinycnn as t
from tests.helpers.cases import RULES
from tinycnn import nn
from tinycnn.data import DataLoader, Digits, Subset
from tinycnn.gradcheck import registry
from tinycnn.models import get_model
from tinycnn.optim import SGD, lr_scheduler

registry.load()


def ours(thing):
    """Whether an object that only the collector could free is the doing of tinycnn, or memory.

    The classes that some cases of the registry define are not: a class is always a cycle.
    """
    owner = str(getattr(thing if callable(thing) and hasattr(thing, "__code__") else type(thing), "__module__", ""))
    return isinstance(thing, np.ndarray) or owner.startswith("tinycnn") and not owner.startswith("tinycnn.gradcheck.cases")


def left_behind(call):
    """The kinds of what a call, made a second time, leaves to the collector."""
    call()
    gc.collect()
    was_on = gc.isenabled()
    gc.disable()
    gc.freeze()  # what is there already need not be looked at again
    try:
        call()
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        return sorted({type(thing).__name__ for thing in gc.garbage if ours(thing)})
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.unfreeze()
        (gc.enable if was_on else gc.disable)()


def net():
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 10))


def loader(**options):
    return DataLoader(Subset(Digits(), range(40)), 10, **options)


def trained(**options):
    model = net()
    optimizer = SGD(model.parameters(), 0.1, momentum=0.9)
    t.train.fit(model, loader(), loader(), epochs=2, optimizer=optimizer, progress=False, **options)
    return model, optimizer


def backward(model=None, create_graph=False):
    model = model or net()
    x = t.randn(2, 1, 8, 8).requires_grad_()
    loss = model(x).sum()
    if create_graph:
        (gradient,) = t.autograd.grad(loss, x, create_graph=True)
        loss = (gradient ** 2).sum()
    loss.backward()


def hooked():
    model = net()
    handles = [model.register_forward_hook(lambda *a: None), model[0].register_forward_pre_hook(lambda *a: None)]
    backward(model)
    for handle in handles:
        handle.remove()


def file_round_trip(kind):
    file, state = io.BytesIO(), {"w": t.randn(30, 30), "more": [t.ones(2), 3, ("a", None)]}
    if kind == "npz":
        np.savez(file, w=state["w"].array)
    elif kind == "pth":
        torch = pytest.importorskip("torch")
        torch.save({"w": torch.ones(30, 30), "n": [1, 2]}, file)
    else:
        t.save(state, file)
    if kind == "damaged":
        file = io.BytesIO(file.getvalue()[:-3])
        try:
            t.load(file)
        except ValueError:
            return
    file.seek(0)
    t.load(file)


def checkpoint(folder):
    arguments = dict(num_classes=10, in_channels=1, image_size=8, channels=(2, 4), kernel_size=3, hidden=(8,))
    t.train.save_checkpoint(folder / "m", get_model("lenet5", **arguments), dict(
        model="lenet5", arguments=arguments, classes=Digits().classes, format=Digits.FORMAT))
    t.train.load_model(folder / "m")


def resumed(folder):
    for resume in (False, True):
        trained(checkpoint=folder / "c", resume=resume)


def optimized(rule):
    params = [t.randn(3, 4).requires_grad_(), t.randn(5).requires_grad_()]
    optimizer = RULES[rule](params)
    for _ in range(2):
        for p in params:
            p.grad = t.ones(p.shape)
        try:
            optimizer.step()
        except TypeError:
            optimizer.step(lambda: t.tensor(1.0))
    optimizer.load_state_dict(optimizer.state_dict())


def scheduled(build):
    optimizer = SGD([t.zeros(2).requires_grad_()], 0.1, momentum=0.9)
    schedule = build(optimizer)
    for _ in range(3):
        optimizer.step()
        schedule.step(*[1.0] * isinstance(schedule, lr_scheduler.ReduceLROnPlateau))
    schedule.load_state_dict(schedule.state_dict())


TABLE = {
    "state_dict": lambda f: net().state_dict(),
    "load_state_dict": lambda f: net().load_state_dict(net().state_dict()),
    "load_state_dict, assigned": lambda f: net().load_state_dict(net().state_dict(), assign=True),
    "load_state_dict, not strict": lambda f: net().load_state_dict({}, strict=False),
    "backward": lambda f: backward(), "second backward": lambda f: backward(create_graph=True), "hooks": lambda f: hooked(),
    "apply": lambda f: net().apply(lambda m: None), "to": lambda f: net().double().to("cpu").half(),
    "copy": lambda f: __import__("copy").deepcopy(net()), "repr": lambda f: repr(net()),
    "clip": lambda f: nn.utils.clip_grad_norm_(net().parameters(), 1.0),
    "transformer": lambda f: nn.TransformerEncoderLayer(8, 2, 16)(t.randn(3, 2, 8)).sum().backward(),
    "attention": lambda f: nn.MultiheadAttention(8, 2)(*[t.randn(3, 2, 8)] * 3)[0].sum().backward(),
    "no_grad": lambda f: t.no_grad()(net())(t.ones(1, 1, 8, 8)),
    "fit": lambda f: trained(), "fit with threads": lambda f: list(loader(num_workers=2)), "resume": resumed,
    "fit, accumulated": lambda f: trained(accumulate=2, clip_norm=1.0),
    "fit, scheduled": lambda f: trained(after_epoch=t.train.early_stopping(1)),
    "evaluate": lambda f: t.train.evaluate(net(), loader()),
    "predict": lambda f: t.train.predict(net(), loader(), mirror=True),
    "summary": lambda f: str(t.train.summary(net(), (1, 8, 8))),
    "find_lr": lambda f: (lambda m: t.train.find_lr(m, loader(), SGD(m.parameters(), 0.1), steps=10))(net()),
    "history": lambda f: (t.train.write_history(f / "h", []), t.train.read_history(f / "h")),
    "lock": lambda f: t.train.FolderLock(f).__enter__().__exit__(), "checkpoint": checkpoint,
    **{f"file, {kind}": lambda f, kind=kind: file_round_trip(kind) for kind in ("ours", "npz", "pth", "damaged")},
    **{f"optimizer, {rule}": lambda f, rule=rule: optimized(rule) for rule in RULES},
    **{f"schedule, {name}": lambda f, build=build: scheduled(build) for name, build in {
        "StepLR": lambda o: lr_scheduler.StepLR(o, 1), "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 5),
        "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, 0.1, total_steps=9),
        "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda epoch: 1.0),
        "ReduceLROnPlateau": lr_scheduler.ReduceLROnPlateau,
        "SequentialLR": lambda o: lr_scheduler.SequentialLR(o, [lr_scheduler.LinearLR(o), lr_scheduler.StepLR(o, 1)], [1]),
        "ChainedScheduler": lambda o: lr_scheduler.ChainedScheduler([lr_scheduler.LinearLR(o)], o)}.items()},
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", TABLE)
def test_no_operation_leaves_a_cycle(name, tmp_path):
    assert left_behind(lambda: TABLE[name](tmp_path)) == []


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("family", sorted({case.id.partition(":")[0] for case in registry.CASES}))
def test_no_function_leaves_a_cycle(family):
    """Every case of the registry, forward and backward."""
    def call():
        for case in cases:
            inputs = [t.from_numpy(a.copy()) for a in case.draw(seed=1)]
            inputs = [x.requires_grad_(s.differentiable) for x, s in zip(inputs, case.inputs)]
            outputs = [y for y in leaves(case.call(t, *inputs)) if y.requires_grad]
            if outputs:
                sum(y.sum() for y in outputs).backward()
    cases = [case for case in registry.CASES if case.id.partition(":")[0] == family]
    assert left_behind(call) == []


def leaves(result):
    return [y for part in result for y in leaves(part)] if isinstance(result, (tuple, list)) else \
        [result] if isinstance(result, t.Tensor) else []


def test_a_cycle_is_found():
    def call():
        x = t.ones(3)
        x.itself = x
    assert left_behind(call) != []
