"""The loader under the name that old code imports from."""
from ...data import DataLoader, default_collate

__all__ = ["DataLoader", "default_collate"]
