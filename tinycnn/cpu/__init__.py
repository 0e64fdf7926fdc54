"""The roads of processors: the same numbers as the formulas of `ops/`, arranged for caches and cores."""
