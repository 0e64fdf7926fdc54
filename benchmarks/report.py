"""The results as tables and as a page."""
import datetime
import importlib.metadata
import math
import os
import platform
import statistics
from pathlib import Path

from .where import KINDS
from .workloads import WORKLOADS

PACKAGES = ("tinycnn", "numpy", "torch")
HEAD = ["workload", "batch", "time", "target", "from - to", "one thread", "without Numba", "channels_last", "memory", "ms",
        "ms PyTorch", "MB", "MB PyTorch", "of peak"]
NAMES = {"tinycnn": "tinycnn", "without_numba": "tinycnn without Numba", "torch": "PyTorch",
         "channels_last": "PyTorch, channels_last", "mygrad": "MyGrad", "autograd": "HIPS autograd", "dezero": "DeZero"}


def versions(names):
    """{package: version} of those that are installed."""
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pass
    return found


def machine():
    """The date, the versions and the processor; nothing that names a host or a person."""
    return dict(date=datetime.date.today().isoformat(), python=platform.python_version(), versions=versions(PACKAGES),
                threads=os.cpu_count(), system=f"{platform.system()} {platform.machine()}", processor=_processor())


def _processor():
    """Its name, as far as the system tells."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


# ---- tables ----------------------------------------------------------------------------------------------------------

def table(rows):
    """Rows of cells, the first the head, as Markdown that can be read as it is."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def workload_rows(results):
    """[(name, result)] of the workloads that were measured, in the order of WORKLOADS."""
    return [(w.name, results[w.name]["result"]) for w in WORKLOADS if w.name in results]


def _workload_cells(name, w):
    libraries, mine, theirs = w["libraries"], w["libraries"]["tinycnn"], w["libraries"].get("torch")
    other, alone = libraries.get("channels_last"), w.get("one_thread", {}).get("torch")
    return [name, str(w["batch"]),
            f"{theirs['ratio']:.2f}" if theirs else "", f"{w['target']:.2f}",
            f"{theirs['ratios'][0]:.2f} - {theirs['ratios'][-1]:.2f}" if theirs else "",
            f"{alone['ratio']:.2f}" if alone else "",
            f"{_without(libraries):.2f}" if theirs and "without_numba" in libraries else "",
            f"{other['ratio']:.2f}" if other else "",
            f"{theirs['memory_ratio']:.2f}" if theirs else "",
            f"{mine['time'] * 1e3:.1f}", f"{theirs['time'] * 1e3:.1f}" if theirs else "",
            f"{mine['memory'] / 1e6:.0f}", f"{theirs['memory'] / 1e6:.0f}" if theirs else "",
            f"{w['efficiency']:.0%}"]


def _without(libraries):
    """The ratio of tinycnn without Numba to PyTorch."""
    return libraries["torch"]["ratio"] / libraries["without_numba"]["ratio"]


def geometric_mean(values):
    """The mean of ratios: those of 2 and 1/2 cancel."""
    return math.exp(statistics.fmean(map(math.log, values)))


def _workloads(results):
    rows = workload_rows(results)
    text = table([HEAD, *(_workload_cells(name, w) for name, w in rows)])
    for key in ("torch", "channels_last"):
        ratios = [w["libraries"][key]["ratio"] for _, w in rows if key in w["libraries"]]
        if ratios:
            text += (f"\n\nGeometric mean of the ratios of time to {NAMES[key]}, {len(ratios)} workloads: "
                     f"{geometric_mean(ratios):.2f}.")
    alone = [w["one_thread"]["torch"]["ratio"] for _, w in rows if "torch" in w.get("one_thread", {})]
    without = [_without(w["libraries"]) for _, w in rows if {"torch", "without_numba"} <= set(w["libraries"])]
    others = {"with one thread each": alone, "without Numba": without}
    text += "".join(f" {words[0].upper()}{words[1:]}: {geometric_mean(ratios):.2f}." for words, ratios in others.items()
                    if ratios)
    return text


def _peers(part):
    rows = [["library", "ms a step", "tinycnn is faster", "MB", "tinycnn needs"]]
    for name, p in sorted(part["libraries"].items(), key=lambda item: item[1]["time"]):
        rows.append([" ".join([NAMES[name], part["versions"].get(name, "")]).strip(), f"{p['time'] * 1e3:.0f}",
                     f"{1 / p['ratio']:.1f} times", f"{p['memory'] / 1e6:.0f}", f"{p['memory_ratio']:.2f} of it"])
    return table(rows)


def _operations(part):
    libraries = [name for name in ("torch", "channels_last") if all(name in row for row in part.values())]
    rows = [["operation", "ms", *(f"against {NAMES[name]}" for name in libraries)]]
    for name, row in part.items():
        rows.append([name, f"{row['tinycnn']['time'] * 1e3:.2f}", *(f"{row[key]['ratio']:.2f}" for key in libraries)])
    return table(rows)


def _where(part):
    libraries = list(next(iter(part.values())))
    rows = [["workload", *KINDS, "together"]]
    for w in WORKLOADS:
        times = [[part[f"{w.name}: {kind}"][library]["time"] * 1e3 for kind in KINDS] for library in libraries
                 if f"{w.name}: rest" in part]
        if times:
            both = zip(*([*own, sum(own)] for own in times))
            rows.append([w.name, *(" / ".join(f"{ms:.0f}" if ms >= 9.5 else f"{ms:.1f}" for ms in cell) for cell in both)])
    return table(rows)


def _cases(part, count=10):
    rivals = {name: row["torch"]["ratio"] for name, row in part.items() if "torch" in row}
    if not rivals:
        each = statistics.median(row["tinycnn"]["time"] for row in part.values())
        return f"{len(part)} calls, {each * 1e6:.0f} us each."
    grouped = {}
    for name, ratio in rivals.items():
        grouped.setdefault(name.partition(":")[0], []).append(ratio)
    grouped = {name: geometric_mean(ratios) for name, ratios in grouped.items()}
    slowest = sorted(grouped, key=grouped.get, reverse=True)[:count]
    return (f"{len(rivals)} calls of {len(grouped)} operations on few numbers each, where only the way through the library "
            f"counts: geometric mean of the ratios {geometric_mean(rivals.values()):.2f}. The slowest: "
            + ", ".join(f"{name} {grouped[name]:.1f}" for name in slowest) + ".")


def _overheads(part):
    dispatch = [f"{NAMES[library]} {direction} {row[library]['time'] * 1e6:.1f}"
                for library in ("tinycnn", "torch") for direction, row in part["dispatch"].items() if library in row]
    return ("An addition of two tensors of one element, in microseconds: " + ", ".join(dispatch) + ".\n"
            f"`import numpy` takes {part['imports']['numpy'] * 1e3:.0f} ms, `import tinycnn` after it "
            f"{part['imports']['tinycnn'] * 1e3:.0f} ms more.")


def _goals(part):
    rows = [["goal", "library", "seconds of training", "epochs", "accuracy"]]
    for goal, runs in part.items():
        for library, run in runs.items():
            if library != "wanted":
                rows.append([f"{goal}, {runs['wanted']:.0%}", NAMES[library],
                             f"{run['seconds']:.0f}" + ("" if run["reached"] else ", not reached"),
                             str(len(run["accuracies"])), f"{run['accuracies'][-1]:.2%}"])
    return table(rows)


def _growth(part):
    from .growth import VALUES, slope
    rows = [["the time grows with", *(NAMES[name] for name in next(iter(part.values())))]]
    for dimension, values in VALUES.items():
        rows.append([f"the {dimension} to the power of",
                     *(f"{slope(values, [part[f'{dimension} {v}'][name]['time'] for v in values]):.2f}"
                       for name in next(iter(part.values())))])
    return table(rows)


def _scale(part):
    from .scale import ratios
    rows, sums = [], part["sums"]
    for network, by in part["times"].items():
        rows += [[network, NAMES[library], *(f"{value:.2f}" for value in ratios(times).values())]
                 for library, times in by.items()]
    kinds = next(iter(part["times"].values()))["tinycnn"]
    sizes = [["bytes that are added up", *(f"us, {NAMES[library]}" for library in sums)]]
    sizes += [[f"{int(n):,}", *(f"{1e6 * by[n]:,.0f}" for by in sums.values())] for n in sums["tinycnn"]]
    link = [["network, 2 machines, 1 Gbit/s", "ms a step, sent in backward", "ms, sent after it", "faster by"]]
    for network, by in part["link"].items():
        during, after = (statistics.median(by[library]) for library in ("tinycnn", "afterwards"))
        link.append([network, f"{1e3 * during:.0f}", f"{1e3 * after:.0f}", f"{after / during - 1:.0%}"])
    tables = [[["network", "library", *ratios(kinds)], *rows], sizes, *[link] * (len(link) > 1)]
    return "\n\n".join([*map(table, tables), _estimate(part)])


def _estimate(part):
    """Efficiency of 8 to 1,024 ranks by a simple model, from the times measured here."""
    from .scale import NETWORKS, SIZES, efficiency
    rows = [["network, batch of a rank", *(f"{n} ranks" for n in SIZES)]]
    for network, times in part["times"].items():
        seconds = statistics.median(times["tinycnn"]["one process, 1 thread"])
        rows.append([f"{network}, {NETWORKS[network][0]}",
                     *(f"{efficiency(seconds, NETWORKS[network][1], n):.0%}" for n in SIZES)])
    return table(rows)


WHERE = """Milliseconds of a step by kinds of operations, tinycnn / PyTorch, as their profilers tell; the rest is the
optimizer, adding gradients up, other operations and the way through the library."""

SCALE = """Speeds of a training step, as ratios. A rank has one thread; PyTorch's ranks talk through gloo, tinycnn's through
MPI. "2 ranks" share the batch that one process has, in "weak scaling" each has it whole. The two machines are network
namespaces of this one. The last table is an **estimate**, not a measurement: the share of its speed that a rank would keep,
were each a machine of its own like this one, with a whole batch, in a ring of 10 Gbit/s and 50 us a message, where half of a
step's backward pass hides messages (`scale.efficiency`)."""

SECTIONS = {  # part: (title, words, function, picture)
    "peers": ("Other libraries on NumPy", "The MNIST net as their users would write it.", _peers, ""),
    "operations": ("Operations at the sizes of networks", "Forward and backward, ratios of time as above.", _operations, ""),
    "where": ("Where the time goes", WHERE, _where, ""),
    "cases": ("Operations on tiny arrays", "", _cases, "cases"),
    "growth": ("Growth", "A training step of two 3x3 convolutions with batch norm.", _growth, "growth"),
    "scale": ("Two processes", SCALE, _scale, ""),
    "overheads": ("Overheads", "An operation is a few Python calls: for the result, its Tensor, the node and the links of "
                  "the graph. In PyTorch all that is\ncompiled. Importing reads a hundred small files.", _overheads, ""),
    "goals": ("Until it is good", "Time to reach an accuracy on the test pictures; see `goals.py`.", _goals, ""),
}


def text(results):
    """All tables, without the pictures."""
    parts = [_workloads(results)] if workload_rows(results) else []
    parts += [SECTIONS[name][2](results[name]["result"]) for name in SECTIONS if name in results]
    return "\n\n".join(parts)


# ---- the page --------------------------------------------------------------------------------------------------------

def page(results, pictures=()):
    """RESULTS.md, with those of the pictures {name} that exist."""
    latest = max(results.values(), key=lambda r: r["machine"]["date"])
    m, dates = latest["machine"], sorted({r["machine"]["date"] for r in results.values()})
    packages = ", ".join(f"{name} {version}" for name, version in m["versions"].items())
    loads = [r["load"] for r in results.values() if r["load"] is not None]
    rounds = sorted({w["rounds"] for _, w in workload_rows(results)})
    between = " to ".join(map(str, rounds[:1] + rounds[1:][-1:]))
    lines = [f"""# tinycnn beside PyTorch

Measured on {' to '.join(dict.fromkeys((dates[0], dates[-1])))} with Python {m['python']}, {packages},
on {m['system']} ({m['processor']}), {m['threads']} cores.
`python -m benchmarks --write` repeats it in a quarter of an hour and writes this page, `--only NAME --write` one part of it.

A step of training is forward, cross-entropy, backward and SGD with momentum; of inference, forward in evaluation mode.
Ratios are tinycnn / PyTorch (eager, as many threads as cores), medians over {between}
rounds of alternating fresh processes, with the smallest and the largest round beside them: below 1, tinycnn is faster or
needs less memory. `target` is the ratio that was wanted before anything was measured, `channels_last` the ratio to PyTorch
with its other memory layout. Milliseconds are those of the best round. Memory is the peak above what the process held
before the first step. Without Numba, the roads of `tinycnn/cpu/` that need only NumPy are taken. "Of peak" compares the
matrix products in a step with large ones of NumPy in the same minutes, on all cores.

The load average of the machine was between {min(loads, default=0):.1f} and {max(loads, default=0):.1f}.
Well above the number of cores, it means that other programs were busy on them; the ratios of small networks then say more
about how both libraries bear that than about their speed on an idle machine."""]
    if workload_rows(results):
        lines += ["## Networks", _workloads(results)]
        lines += ["![Ratios of time and memory](pictures/networks.png)"] * ("networks" in pictures)
    for name, (title, words, show, picture) in SECTIONS.items():
        if name in results:
            lines += [f"## {title}", *[words] * bool(words), show(results[name]["result"])]
            lines += [f"![{title}](pictures/{picture}.png)"] * (picture in pictures)
    return "\n\n".join(lines) + "\n"
