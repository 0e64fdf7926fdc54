"""What a tensor is, how an operation is recorded, and how gradients find their way back."""
