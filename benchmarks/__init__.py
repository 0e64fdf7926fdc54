"""tinycnn beside PyTorch: `python -m benchmarks`. See `workloads.py` for what is measured and `measure.py` for how."""
