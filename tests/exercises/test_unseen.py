"""The mistakes that only measure are mistakes: shown without the checker, and without looking at what it says."""
import re

import numpy as np
import pytest

from tinycnn.exercises import names
from tinycnn.exercises.unseen import load_all, proof

ENTRIES = load_all()


def test_there_are_mistakes_for_every_exercise_and_right_ones_beside_them():
    assert {e.exercise for e in ENTRIES if e.truth and e.exercise} == set(names())
    assert sum(not e.truth for e in ENTRIES) >= 60


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e.name.replace(" ", "-"))
def test_wrong_is_wrong_and_right_is_right(entry):
    is_right = proof.solution_is_right if entry.exercise else proof.function_is_right
    with np.errstate(all="ignore"):
        assert is_right(entry) == (not entry.truth)


def test_expressions_can_be_searched_in_lower_case():
    for entry in ENTRIES:
        assert entry.cause or not entry.truth, entry.name
        for pattern in (*entry.cause, *entry.misleading):
            re.compile(pattern)
            assert pattern == pattern.lower(), f"{entry.name}: {pattern}"
