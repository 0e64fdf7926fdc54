"""A page in one file that works without a server: with the network and its pictures, which the page's own engine runs, or,
where it does not have all the operations, with what some pictures gave."""
import re
from importlib import resources

import numpy as np

from ..files.atomic import write_atomically
from .answers import opening
from .page import page
from .session import Session
from .wire import described, packed, words

RECORDED = 4             # pictures whose numbers are saved for a network that the page cannot run
MOST = 1_500_000         # numbers of each of them
FLAT = {"Conv", "MaxPool", "AvgPool", "AdaptiveAvgPool", "AdaptiveMaxPool"}  # which the page has for pictures only


def save(subject, path):
    """Write the page for `subject` to the file `path`."""
    write_atomically(path, page(saved(subject)).encode())


def saved(subject):
    """bytes for `page`."""
    session = Session(subject)
    pictures = subject.shown[0] if subject.shown else np.zeros((1, subject.format.channels, *subject.format.size), np.uint8)
    made = session.look(pictures[0])
    facts, arrays = opening(subject)
    program, own = described(made, most=np.inf)
    unknown = sorted({o.name for o in made.operations if not runs(o)})
    facts.update(program, runs=not unknown, unknown=unknown, words=words({o.function for o in made.operations}),
                 kept=[sorted(set(o.kept) - {"indices", "p"}) for o in made.operations],
                 frozen=[name for name, dw in made.gradients.items() if dw is None])
    arrays.update({name: array for name, array in own.items() if name.startswith("w.")})
    arrays.update({f"{i}.{name}": o.kept[name] for i, o in enumerate(made.operations) for name in facts["kept"][i]})
    if unknown:
        facts["records"] = []
        for n, picture in enumerate(pictures[:RECORDED]):
            description, numbers = described(session.look(picture), MOST)
            facts["records"].append(description)
            arrays.update({f"r{n}/{name}": np.float32(a) for name, a in numbers.items() if not name.startswith("w.")})
        arrays.pop("learnt", None)
        arrays.update(shown=pictures[:RECORDED])
    facts["mutants"], facts["verdicts"] = broken(session, made) if not unknown else ([], {})
    return packed(facts, {name: narrowed(array) for name, array in arrays.items()})


def narrowed(array):
    """The array as float32 where that loses nothing, as with the weights of most networks."""
    narrow = np.asarray(array, np.float32) if array.dtype == np.float64 else array
    return narrow if np.array_equal(narrow, array, equal_nan=True) else array


def engine():
    """(the operations that the page can run, the mutants that it knows), as its scripts say."""
    text = resources.files(__package__).joinpath("page", "engine.js").read_text(encoding="utf-8")
    operations, mutants = text.partition("const ENGINE = {")[2].split("const MUTANTS = {")
    return set(re.findall(r"^  (\w+): \{", operations, re.M)), re.findall(r'^  "(.*?)":', mutants, re.M)


def runs(operation):
    """Whether the page's engine has this use of an operation."""
    known, _ = engine()
    shapes = [y.shape for y in operation.outputs]
    if operation.name not in known or len(shapes) != 1 or operation.name in FLAT and len(shapes[0]) != 4:
        return False
    if operation.name == "Normalize":
        return not operation.options["axes"] and operation.options["along"] == [1]
    return True


def broken(session, made):
    """The mutants that the page knows, of the operations of a Record, and what the checker says of each."""
    _, known = engine()
    mutants = [m for m in session.mutants({o.name for o in made.operations}) if ": ".join(m) in known]
    verdicts = {}
    for function, name in mutants:
        session.switch(function, name)
        verdicts[f"{function}: {name}"] = session.verdict()
    session.switch(None, None)
    return mutants, verdicts
