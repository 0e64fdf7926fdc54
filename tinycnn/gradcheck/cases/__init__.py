"""The registry's entries, one file a family of operations: see `registry.py` for what a case and a mutant are."""
