"""Where to read and practise what an operation does: lessons in `notebooks/`, exercises by their names."""

LESSONS = {
    "Add": "10_depth_and_skips", "Attention": "12_vision_transformer", "Conv": "04_im2col",
    "CrossEntropy": "03_backprop_by_hand", "Dropout": "07_batch_norm_and_dropout", "Linear": "03_backprop_by_hand",
    "MaxPool": "03_backprop_by_hand", "Normalize": "07_batch_norm_and_dropout", "ReLU": "03_backprop_by_hand",
}
EXERCISES = {
    "Add": "residual_block", "Attention": "attention", "AvgPool": "average_pool", "Conv": "conv_backward",
    "ConvTranspose": "conv_transpose", "CrossEntropy": "softmax_cross_entropy", "Dropout": "dropout", "Linear": "linear",
    "MaxPool": "max_pool", "Normalize": "batch_norm_backward", "ReLU": "activations",
}
