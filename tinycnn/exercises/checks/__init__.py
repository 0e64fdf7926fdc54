"""The checks: one file an exercise, with the oracles in plain loops and the mistakes that people make."""
