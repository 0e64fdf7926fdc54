"""Where to read and practise what an operation does: lessons in `notebooks/`, exercises by their names; whose pictures."""

LESSONS = {
    "Add": "10_depth_and_skips", "Attention": "12_vision_transformer", "Conv": "04_im2col",
    "CrossEntropy": "03_backprop_by_hand", "Dropout": "07_batch_norm_and_dropout", "Linear": "03_backprop_by_hand",
    "MaxPool": "03_backprop_by_hand", "Normalize": "07_batch_norm_and_dropout", "ReLU": "03_backprop_by_hand",
}
SOURCES = {  # of pictures, which a saved page has in it
    "digits": "E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998 (CC BY 4.0)",
    "mnist": "Y. LeCun, C. Cortes and C. Burges, MNIST (CC BY-SA 3.0)",
    "fashion-mnist": "H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST, 2017 (MIT licence)",
    "kmnist": "T. Clanuwat et al., KMNIST, 2018 (CC BY-SA 4.0)", "cifar10": "A. Krizhevsky, CIFAR-10, 2009",
    "cifar100": "A. Krizhevsky, CIFAR-100, 2009",
}
EXERCISES = {
    "Add": "residual_block", "Attention": "attention", "AvgPool": "average_pool", "Conv": "conv_backward",
    "ConvTranspose": "conv_transpose", "CrossEntropy": "softmax_cross_entropy", "Dropout": "dropout", "Linear": "linear",
    "MaxPool": "max_pool", "Normalize": "batch_norm_backward", "ReLU": "activations",
}
