"""`Optimizer`, what all optimizers share: groups of parameters, their options, and a state for each parameter.

An optimizer is one method, `update`, on plain arrays: the rule of its paper for one parameter. Arrays are updated in place,
so that the layers, which hold the same Parameters, see the new weights.
"""
import math
from collections import defaultdict
from copy import deepcopy

from ..engine.arrays import is_array, quiet, to_device
from ..engine.dtype import float32
from ..engine.formula import formula
from ..engine.grad_mode import enable_grad
from ..engine.half import is_half, widened
from ..engine.construct import as_tensor
from ..engine.tensor import Tensor, wrap
from ..nn.module import clear_grad

required = object()  # the default of an option that has none


@formula
def update_all(optimizer, entries, group):
    """A step of the parameters of one group: `entries` is a list of (p, dp, state), arrays and their dictionary."""
    for p, dp, state in entries:
        update_one(optimizer, p, dp, state, group)


@formula
def update_one(optimizer, p, dp, state, group):
    """A step of one parameter: the rule of the optimizer, down the gradient, or up it where the group says `maximize`.

    A parameter of float16 is updated in float32, as is its state, and rounded.
    """
    wide, dp = widened(p), widened(dp)
    optimizer.update(wide, -dp if group.get("maximize") else dp, state, group)
    if wide is not p:
        p[...] = wide


def numbers(group):
    """A group with numbers for those of its options that are tensors of one element, also within tuples."""
    return {name: value if name == "params" else number(name, value) for name, value in group.items()}


def number(name, value):
    """The option `value` without tensors, which rules could not compute with in place."""
    if isinstance(value, (tuple, list)):
        return type(value)(number(name, v) for v in value)
    if isinstance(value, Tensor) or is_array(value):
        if math.prod(value.shape) != 1:
            raise ValueError(f"optimizer: {name} must be a number or a tensor of one element, got shape {value.shape}")
        return value.item()
    return value


class Optimizer:
    """The base of all optimizers. A subclass passes its options as `defaults` and defines `update(p, dp, state, group)`; one
    that keeps a state for each parameter also `start(p, dp, group)`.

    `params`: Parameters, or (name, Parameter) pairs, or dictionaries, each a group with options of its own:
    `[{"params": net.body.parameters()}, {"params": net.head.parameters(), "lr": 0.1}]`.

    An option may be a tensor of one element, which later steps look at again: one that is changed in place acts at once.

    Attributes: `param_groups`, a list of dictionaries, "params" and options; `state`, a dictionary for each Parameter;
    `defaults`. Raises TypeError and ValueError for parameters that cannot be trained.

    `foreach`, `fused` and `capturable` tell PyTorch how to compute, not what, and change nothing here.
    """
    elementwise = False  # whether `update` treats every entry alone; a subclass with another `update` says it anew
    scalars = ("step",)  # the entries of the state that are numbers

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        if "update" in vars(cls) and "elementwise" not in vars(cls):
            cls.elementwise = False

    def __init__(self, params, defaults, *, foreach=None, fused=None, capturable=False, differentiable=False):
        if differentiable:
            raise ValueError(f"{self._name()}: differentiable=True is not supported: steps are not recorded")
        if isinstance(params, (Tensor, dict)):
            raise TypeError(f"{self._name()}: params must be an iterable of Tensors or of dictionaries, got one "
                            f"{type(params).__name__}; write [p]")
        params = list(params)
        if not params:
            raise ValueError(f"{self._name()}: params is empty: there is nothing to train")
        self.defaults = defaults
        self.state = defaultdict(dict)
        self.param_groups = []
        self._step_count = 0
        for group in params if isinstance(params[0], dict) else [{"params": params}]:
            self.add_param_group(group)

    def _name(self):
        return type(self).__name__

    def add_param_group(self, param_group):
        """Train the parameters of one more dictionary: "params" (a Tensor or several) and options, defaults for the rest."""
        if not isinstance(param_group, dict):
            raise TypeError(f"{self._name()}: a parameter group must be a dictionary, got {type(param_group).__name__}")
        if "params" not in param_group:
            raise ValueError(f"{self._name()}: a parameter group needs the key 'params', got {sorted(param_group)}")
        group = dict(param_group)
        params = group["params"]
        if isinstance(params, set):
            raise TypeError(f"{self._name()}: params must have an order, which a set has not: pass a list")
        params = [params] if isinstance(params, Tensor) else list(params)
        params = [p[1] if isinstance(p, tuple) and len(p) == 2 else p for p in params]
        group["params"] = params
        for name, value in self.defaults.items():
            if value is required and name not in group:
                raise ValueError(f"{self._name()}: this parameter group lacks the option {name!r}, which has no default")
            group.setdefault(name, value)
        known = {id(p) for other in self.param_groups for p in other["params"]}
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError(f"{self._name()}: params must be Tensors, got {type(p).__name__}")
            if p.grad_fn is not None:
                raise ValueError(f"{self._name()}: can't optimize a non-leaf Tensor (shape {p.shape}, made by "
                                 f"{p.grad_fn.name()}): pass the parameters it was computed from")
            if id(p) in known:
                raise ValueError(f"{self._name()}: a parameter of shape {p.shape} appears twice; it would be updated twice "
                                 "a step")
            known.add(id(p))
        self.check_options(numbers(group))
        self.param_groups.append(group)

    def check_options(self, group):
        """Raise ValueError for options that make no sense; `group` holds them all."""

    def non_negative(self, group, *names):
        """Raise ValueError when one of these options is negative (or NaN)."""
        for name in names:
            if not group[name] >= 0:
                raise ValueError(f"{self._name()}: {name} must not be negative, got {group[name]}")

    def zero_grad(self, set_to_none=True):
        """Forget the gradients of all parameters, or with `set_to_none=False` fill them with zeros."""
        for group in self.param_groups:
            for p in group["params"]:
                clear_grad(p, set_to_none)

    def step(self, closure=None):
        """Update every parameter that has a gradient.

        `closure`, where given, is called first, with recording switched on: it computes the loss, runs backward and
        returns the loss, which `step` returns.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        with quiet():
            for group in map(numbers, self.param_groups):
                params = [p for p in group["params"] if p.grad is not None]
                update_all(self, [self._entry(p, group) for p in params], group)
                for p in params:
                    p._version.writes += 1
        self._step_count += 1
        return loss

    def _entry(self, p, group):
        """The array of a parameter, its gradient, and its state, in which this step is counted."""
        array, dp, state = p.array, p.grad.array, self.state[p]
        if not state:
            state.update(self.start(*map(widened, (array, -dp if group.get("maximize") else dp)), group))
        self.advance(state, group)
        return array, dp, state

    def start(self, p, dp, group):
        """The state of a parameter before its first step, in which it is `p` and its gradient `dp`: arrays and numbers."""
        return {}

    def advance(self, state, group):
        """Count the step: change the numbers in the state of a parameter, before `update` changes its arrays."""
        if "step" in state:
            state["step"] += 1

    def update(self, p, dp, state, group):
        """Change the array `p`, and the arrays in its state, in place, given its gradient `dp` (not to be changed).

        The state is what `start` made, and `group` holds the options. A rule that is `elementwise` gets some of the entries
        of p, or all, with the same entries of dp and of the arrays in the state: it changes no numbers in the state.
        """
        raise NotImplementedError(f"{self._name()}: define update(self, p, dp, state, group)")

    def state_dict(self):
        """{"state": {index: {...}}, "param_groups": [...]}, with parameters numbered in the order of the groups.

        The tensors in it are those of the optimizer, not copies.
        """
        index = {id(p): i for i, p in enumerate(self._params())}
        groups = [{**group, "params": [index[id(p)] for p in group["params"]]} for group in self.param_groups]
        state = {index[id(p)]: {name: _shown(value) for name, value in values.items()}
                 for p, values in self.state.items() if values}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict):
        """Continue from what `state_dict` of an equally built optimizer returned (copied; cast to each parameter's dtype,
        float16 to float32).

        Raises ValueError when the groups, or the numbers of parameters in them, differ.
        """
        groups = state_dict["param_groups"]
        sizes = [len(group["params"]) for group in self.param_groups]
        loaded = [len(group["params"]) for group in groups]
        if sizes != loaded:
            raise ValueError(f"load_state_dict: the groups of this {self._name()} have {sizes} parameters, those of the "
                             f"loaded state {loaded}")
        params = dict(zip((i for group in groups for i in group["params"]), self._params()))
        self.state = defaultdict(dict)
        for i, values in state_dict["state"].items():
            self.state[params[i]] = {name: self._loaded(name, value, params[i]) for name, value in values.items()
                                     if value is not None}
        self.param_groups = [{**own, **deepcopy({**group, "params": None}), "params": own["params"]}
                             for group, own in zip(groups, self.param_groups)]

    def _loaded(self, name, value, p):
        """A loaded entry of the state of `p`: a copy in its dtype, on its device; numbers as they are.

        An optimizer that defines `step` itself gets Tensors, as in PyTorch, one that defines `update` arrays.
        """
        if not isinstance(value, Tensor) and not is_array(value):
            return value
        array = as_tensor(value).array
        if name in self.scalars:  # tensors in PyTorch's checkpoints, numbers here
            return int(array) if name == "step" else float(array)
        array = to_device(array, p.device).astype(float32 if is_half(p) else p.dtype, copy=True)
        return array if type(self).step is Optimizer.step else wrap(array)

    def _params(self):
        return [p for group in self.param_groups for p in group["params"]]

    def __repr__(self):
        lines = []
        for i, group in enumerate(self.param_groups):
            lines += [f"Parameter Group {i}", *(f"    {k}: {group[k]}" for k in sorted(group) if k != "params")]
        return f"{self._name()} (\n" + "\n".join(lines) + "\n)"


def _shown(value):
    """An entry of a state with Tensors for its arrays, in the same memory."""
    return wrap(value) if is_array(value) else [_shown(v) for v in value] if isinstance(value, list) else value
