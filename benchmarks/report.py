"""The results as a table and as a page."""
import datetime
import importlib.metadata
import platform
from pathlib import Path

HEAD = ["workload", "batch", "time", "target", "from - to", "memory", "ms", "ms PyTorch", "MB", "MB PyTorch", "of peak"]


def machine():
    """The date, the versions and the processor; nothing that names a host or a person."""
    versions = {}
    for name in ("tinycnn", "numpy", "torch"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pass
    return dict(date=datetime.date.today().isoformat(), python=platform.python_version(), versions=versions,
                system=f"{platform.system()} {platform.machine()}", processor=_processor())


def _processor():
    """Its name, as far as the system tells."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _row(w):
    """The cells of one workload."""
    mine, theirs = (min((t[name] for t in w["times"] if name in t), default=None) for name in ("tinycnn", "torch"))
    known = "ratio" in w
    return [w["name"], str(w["batch"]),
            f"{w['ratio']:.2f}" if known else "",
            f"{w['target']:.2f}",
            f"{w['ratios'][0]:.2f} - {w['ratios'][-1]:.2f}" if known else "",
            f"{w['memory_ratio']:.2f}" if known else "",
            f"{mine * 1e3:.1f}", f"{theirs * 1e3:.1f}" if known else "",
            f"{w['memory']['tinycnn'] / 1e6:.0f}", f"{w['memory']['torch'] / 1e6:.0f}" if known else "",
            f"{w['efficiency']:.0%}"]


def text(results):
    """The table, as Markdown that can be read as it is."""
    rows = [HEAD] + [_row(w) for w in results["workloads"]]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    if "overheads" in results:
        dispatch, imports = results["overheads"]["dispatch"], results["overheads"]["import"]
        lines += ["", "An addition of two tensors of one element, in microseconds: "
                  + ", ".join(f"{name} {value * 1e6:.1f}" for name, value in dispatch.items()) + ".",
                  f"`import numpy` takes {imports['numpy'] * 1e3:.0f} ms, `import tinycnn` after it "
                  f"{imports['tinycnn'] * 1e3:.0f} ms more."]
    return "\n".join(lines)


def page(results):
    """RESULTS.md."""
    m = results["machine"]
    rounds = results["workloads"][0]["rounds"]
    versions = ", ".join(f"{name} {version}" for name, version in m["versions"].items())
    return f"""# tinycnn beside PyTorch

Measured on {m['date']} with Python {m['python']}, {versions}, on {m['system']} ({m['processor']}),
{results['threads']} cores. `python -m benchmarks` repeats it.

A training step is forward, cross-entropy, backward and SGD with momentum. Ratios are tinycnn / PyTorch (eager, its default
number of threads), medians over {rounds} rounds of alternating fresh processes, with the smallest and the largest round
beside them: below 1, tinycnn is faster or needs less memory. Milliseconds are those of the best round, and noise: the
machine did other things as well. Memory is the peak above what the process held before the first step. "Of peak" compares
the products in a step with a large matrix product of NumPy in the same minute, on all cores.

The load average of the machine was {results['load']:.1f} at the end. Well above the number of cores of a run, it means that
other programs were busy on them; the ratios of small networks then say more about how both libraries bear that than about
their speed on an idle machine.

{text(results)}
"""
