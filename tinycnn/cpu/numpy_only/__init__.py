"""The roads that need only NumPy."""
