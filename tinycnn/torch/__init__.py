"""PyTorch's other names, found one level up: `tinycnn.jit`. `tinycnn/__init__.py` adds this folder to its path."""
raise ImportError("tinycnn.torch is no package: its modules are found as tinycnn.amp, tinycnn.jit, tinycnn.utils, ...")
