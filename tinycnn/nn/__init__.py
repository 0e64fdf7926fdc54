"""Floor 3: layers."""
