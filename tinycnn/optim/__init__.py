"""Floor 3: optimizers."""
