"""What the tests of extremes share: run all extremes of a Function, and compare what fails with a table of reasons."""
from tinycnn.gradcheck import registry
from tinycnn.gradcheck.extremes import extremes_of

registry.load()


def failures_of(function, dtype, differs):
    """{kind: sentences about its cases} of the extremes of `function`, and its plain cases, at which something differs.

    `differs(case, kind)` says what, or nothing.
    """
    found = {}
    for case in registry.cases_of(function):
        for kind, extreme in [("plain", case), *extremes_of(case, dtype)]:
            what = differs(extreme, kind)
            if what:
                found.setdefault(kind, []).append(f"{extreme.id}: {what}")
    return found


def explained(failures, function, dtype, table, needed=True):
    """Fail where something differs for which `table` has no reason, or has one that is not `needed`: nothing differs.

    Its rows are (names of Functions, kinds, dtypes, why).
    """
    name = function.__name__
    reasons = {kind for names, kinds, dtypes, _ in table if name in names.split() and dtype in dtypes.split()
               for kind in kinds.split()}
    unexplained = [f"{name}, {dtype}, {kind}:\n  " + "\n  ".join(told) for kind, told in failures.items()
                   if kind not in reasons]
    assert not unexplained, "\n".join(unexplained)
    unneeded = sorted(reasons - failures.keys()) if needed else []
    assert not unneeded, f"{name}, {dtype}: nothing needs the reason for {unneeded}"
