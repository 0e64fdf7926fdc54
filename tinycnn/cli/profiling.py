"""The command `tinycnn profile`: where the time of a training step goes, operation by operation."""
import json
from pathlib import Path

from ..train.profiler import ORDERS
from .arguments import count, size


def add_profile(commands):
    """`tinycnn profile`."""
    p = commands.add_parser("profile", help="show where the time of a network goes",
                            description="Run training steps of a network on random pictures and show the time, the memory "
                            "and the speed of every operation.")
    p.add_argument("model", help="a name that `tinycnn summary` lists")
    p.add_argument("--batch", type=count, default=8, help="pictures in a step (default: %(default)s)")
    p.add_argument("--input-size", type=size, metavar="CxHxW", help="of the pictures (default: what the network expects)")
    p.add_argument("--steps", type=count, default=3, help="how many, after one that is not measured (default: %(default)s)")
    p.add_argument("--sort-by", choices=ORDERS, default="time", help="column (default: %(default)s)")
    p.add_argument("--plot", type=Path, metavar="FILE", help="also draw it")
    p.add_argument("--json", action="store_true", help="print one JSON object")
    p.set_defaults(run=profile, forwards=False)


def profile(args):
    """`tinycnn profile`: a table of the steps together."""
    from .. import Tensor, randn, randn_like
    from ..models import example_inputs, get_model
    from ..train.profiler import profile as measure
    model = get_model(args.model)
    inputs = example_inputs(args.model, args.batch)
    inputs = [randn(args.batch, *args.input_size)] if args.input_size else inputs
    inputs = [randn_like(x) if x.is_floating_point() else x for x in inputs]
    prof = measure(peak=True)

    def step():
        outputs = model(*inputs)
        outputs = outputs.values() if isinstance(outputs, dict) else outputs
        outputs = [outputs] if isinstance(outputs, Tensor) else outputs
        sum(y.square().mean() for y in outputs if isinstance(y, Tensor)).backward()

    step()
    with prof:
        for _ in range(args.steps):
            step()
    print(json.dumps(prof.as_dict(), indent=2) if args.json else prof.table(args.sort_by))
    if args.plot:
        prof.plot().savefig(args.plot)
