"""Where the time of a step goes, in both libraries: by kinds of operations.

tinycnn is asked by its own profiler, PyTorch by PyTorch's. Each names its operations in its own way; a part of a name tells
the kind. What no operation accounts for is the rest: the optimizer, adding gradients up, and the way through the library.
"""
KINDS = {  # parts of the names, PyTorch's in small letters
    "convolution": ("Conv", "convolution", "conv2d_forward"),
    "products": ("Linear", "MatMul", "Attention", "aten::mm", "addmm", "bmm", "attention"),
    "normalisation": ("Normalize", "batch_norm", "layer_norm"),
    "pooling": ("Pool", "pool"),
    "activations": ("ReLU", "GELU", "Hardtanh", "clamp", "threshold", "gelu", "hardtanh"),
    "rest": (),
}


def kind_of(name):
    """The kind of the operation of that name."""
    return next((kind for kind, words in KINDS.items() if any(word in name for word in words)), "rest")


def seconds_of_operations(t, step, steps):
    """[(name, seconds in a step)] as the library's own profiler tells them, over so many steps."""
    if t.__name__ == "tinycnn":
        with t.profile() as prof:
            for _ in range(steps):
                step()
        return [(row.name, row.time / steps) for row in prof.rows]
    with t.profiler.profile(activities=[t.profiler.ProfilerActivity.CPU]) as prof:
        for _ in range(steps):
            step()
    return [(row.key, row.self_cpu_time_total / 1e6 / steps) for row in prof.key_averages()]


def kinds(t, workload, step, repeat, steps=3):
    """{"workload: kind": seconds of a step}; the rest is what a step takes beyond the operations of all other kinds."""
    whole = min(repeat(step, 0.5))
    found = dict.fromkeys(KINDS, 0.0)
    for name, seconds in seconds_of_operations(t, step, steps):
        found[kind_of(name)] += seconds
    found["rest"] = max(0.0, whole - sum(seconds for kind, seconds in found.items() if kind != "rest"))
    return {f"{workload.name}: {kind}": seconds for kind, seconds in found.items()}
