"""What the page may ask of a Session, and the answers as bytes. The saved page answers the same questions in JavaScript."""
import numpy as np

from .wire import described, packed, words
from .words import SOURCES


def opening(subject):
    """What the page knows from the start, as JSON can hold it, and its pictures as arrays."""
    format, arrays = subject.format, {}
    for name, pair in (("shown", subject.shown), ("learnt", subject.learnt)):
        if pair is not None:
            arrays[name], arrays[f"{name} labels"] = pair
    facts = {"title": subject.title, "classes": subject.classes, "source": SOURCES.get(subject.dataset),
             "missing": subject.missing, "channels": format.channels, "size": list(format.size), "scale": format.scale,
             "box": format.box, "centre": format.centre, "mean": list(format.mean), "std": list(format.std)}
    return facts, arrays


def answer(session, question, told):
    """bytes for a question of the page: its name and a dictionary. ValueError where it makes no sense."""
    if question not in ANSWERS:
        raise ValueError(f"the page asked for {question!r}, which is none of {', '.join(ANSWERS)}")
    facts, arrays = ANSWERS[question](session, told)
    return packed(facts, arrays)


def _record(session, made, losses=(), **facts):
    """A Record; losses may be NaN, which JSON does not know, so they are an array."""
    description, arrays = described(made)
    arrays["losses"] = np.asarray(losses, float)
    functions = {operation.function for operation in made.operations}
    mutants = session.mutants({f.__name__ for f in functions})
    return {**description, **facts, "words": words(functions), "mutants": mutants, "undo": len(session.before)}, arrays


def _open(session, told):
    facts, arrays = opening(session.subject)
    return facts, {name: array for name, array in arrays.items() if name.startswith("shown")}


def _look(session, told):
    return _record(session, session.look(told.get("pixels", ()), told.get("label")))


def _step(session, told):
    losses = session.step(told.get("lr"), told.get("batch") is True)
    return _record(session, session.record(), losses=losses)


def _train(session, told):
    losses = session.train(told.get("lr"), told.get("batches"))
    return _record(session, session.record(), losses=losses)


def _undo(session, told):
    session.undo()
    return _record(session, session.record())


def _difference(session, told):
    return {}, {"difference": np.asarray(session.difference(told.get("name"), told.get("index")))}


def _switch(session, told):
    session.switch(told.get("function"), told.get("name"))
    return _record(session, session.record(), verdict=session.verdict() if session.mutant else "")


def _race(session, told):
    right, broken = session.race(told.get("lr"), told.get("batches"))
    return {}, {"right": np.asarray(right), "broken": np.asarray(broken)}


ANSWERS = {"open": _open, "look": _look, "step": _step, "train": _train, "undo": _undo, "difference": _difference,
           "switch": _switch, "race": _race}
