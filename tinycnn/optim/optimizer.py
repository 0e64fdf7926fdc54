"""Floor 3: `Optimizer`, what all optimizers share: groups of parameters, their options, and a state for each parameter.

An optimizer is one method, `update`, on plain arrays: the rule of its paper for one parameter. Arrays are updated in place,
so that the layers, which hold the same Parameters, see the new weights.

The rules are written as formulas, each of whose operations makes an array. What that costs depends on where the array lies:
so a large parameter is updated in pieces, of which all arrays of the formula stay in the processor's cache together, and
which the cores share.
"""
from collections import defaultdict
from copy import deepcopy

from ..gpu import kernels
from ..engine.arrays import CPU, device_of, is_array, quiet, to_device
from ..engine.grad_mode import enable_grad
from ..nn.module import clear_grad
from ..engine.tensor import Tensor, as_tensor, wrap
from ..cpu.workers import parallel

required = object()  # the default of an option that has none
PIECE = 2**17        # entries of a parameter that are updated at once


class Optimizer:
    """The base of all optimizers. A subclass passes its options as `defaults` and defines `update(p, dp, state, group)`; one
    that keeps a state for each parameter also `start(p, dp, group)`.

    `params`: Parameters, or (name, Parameter) pairs, or dictionaries, each a group with options of its own:
    `[{"params": net.body.parameters()}, {"params": net.head.parameters(), "lr": 0.1}]`.

    Attributes: `param_groups`, a list of dictionaries, "params" and options; `state`, a dictionary for each Parameter;
    `defaults`. Raises TypeError and ValueError for parameters that cannot be trained.

    `foreach`, `fused` and `capturable` tell PyTorch how to compute, not what, and change nothing here.
    """
    kernel = None          # the rule of `kernels/optim.cu` that does the same as `update`; with it goes a method `launch`
    elementwise = False    # whether `update` treats every entry alone, so that it can be given a piece of a parameter
    scalars = ("step",)    # the entries of the state that are numbers

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
                raise TypeError(f"{self._name()}: can only optimize Tensors, got {type(p).__name__}")
            if p.grad_fn is not None:
                raise ValueError(f"{self._name()}: can't optimize a non-leaf Tensor (shape {p.shape}, made by "
                                 f"{p.grad_fn.name()}): pass the parameters it was computed from")
            if id(p) in known:
                raise ValueError(f"{self._name()}: a parameter of shape {p.shape} appears twice; it would be updated twice "
                                 "a step")
            known.add(id(p))
        self.check_options(group)
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
            for group in self.param_groups:
                params = [p for p in group["params"] if p.grad is not None]
                for p in self._step_together(params, group) if self.kernel else params:
                    self._step_one(p, group)
        self._step_count += 1
        return loss

    def _step_together(self, params, group):
        """Update those parameters that lie on a GPU in as few launches as possible; returns the others."""
        rest, chosen = [], {}
        for p in params:
            array, dp, state = p.array, p.grad.array, self.state[p]
            if not (kernels.serves(array) and kernels.knows("optim", array.dtype) and array.flags.c_contiguous):
                rest.append(p)
                continue
            if not state:
                state.update(self.start(array, -dp if group.get("maximize") else dp, group))
            self.advance(state, group)
            chosen.setdefault(array.dtype, []).append(dict(p=array, dp=dp, **self.launch(state, group)))
            p._version.writes += 1
        for entries in chosen.values():
            kernels.update(self.kernel, entries, *self.options(group))
        return rest

    def _step_one(self, p, group):
        """Update one parameter, in pieces where that is possible and worth it."""
        array, dp, state = p.array, p.grad.array, self.state[p]
        if group.get("maximize"):
            dp = -dp
        if not state:
            state.update(self.start(array, dp, group))
        self.advance(state, group)
        arrays = {name: value for name, value in state.items() if is_array(value)}
        if (self.elementwise and array.size > PIECE and device_of(array) == CPU
                and all(a.flags.c_contiguous for a in (array, *arrays.values()))):
            array, dp, arrays = array.reshape(-1), dp.reshape(-1), {name: a.reshape(-1) for name, a in arrays.items()}

            def work(start, stop):
                for piece in (slice(i * PIECE, (i + 1) * PIECE) for i in range(start, stop)):
                    self.update(array[piece], dp[piece], {**state, **{name: a[piece] for name, a in arrays.items()}}, group)

            parallel(work, -(-array.size // PIECE), moved=(3 + 2 * len(arrays)) * array.nbytes)
        else:
            self.update(array, dp, state, group)
        p._version.writes += 1

    def start(self, p, dp, group):
        """The state of a parameter before its first step, in which it is `p` and its gradient `dp`: arrays and numbers."""
        return {}

    def advance(self, state, group):
        """Count the step: change the numbers in the state of a parameter, before `update` changes its arrays."""
        if "step" in state:
            state["step"] += 1

    def update(self, p, dp, state, group):
        """Change the array `p`, and the arrays in its state, in place, given its gradient `dp` (not to be changed).

        The state is what `start` made, and `group` holds the options. Where the class says `elementwise = True`, p may be a
        piece of a parameter, and dp and the arrays of the state the same piece of theirs.
        """
        raise NotImplementedError(f"{self._name()}: define update(self, p, dp, state, group)")

    def launch(self, state, group):
        """What the rule `kernel` has to know of one parameter: the arrays m and v, and the numbers step and root."""
        raise NotImplementedError(f"{self._name()}: define launch(self, state, group), or no kernel")

    def options(self, group):
        """The numbers that the rule `kernel` asks for after its table, of the whole group."""
        raise NotImplementedError(f"{self._name()}: define options(self, group), or no kernel")

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
        """Continue from what `state_dict` of an equally built optimizer returned (copied; cast to each parameter's dtype).

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
        array = to_device(array, p.device).astype(p.dtype, copy=True)
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
