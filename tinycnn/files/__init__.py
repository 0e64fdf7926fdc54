"""Files: writing them whole or not at all, our own and PyTorch's weight files."""
