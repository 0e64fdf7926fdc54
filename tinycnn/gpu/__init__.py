"""The roads of GPUs: the same numbers as the formulas of `ops/`, in one launch or a few."""
