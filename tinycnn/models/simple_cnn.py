"""The network of a first lecture: convolution, pooling, convolution, pooling, and one linear layer."""
from .. import nn
from .registry import variant


class SimpleCNN(nn.Sequential):
    """[conv kxk, ReLU, max-pool 2x2] for each of `channels`, then linear: x (N, C, H, W) -> scores (N, num_classes).

    By default the network with which the lectures tell circles, squares and triangles of 128x128 pixels apart, 115,651
    weights. `SimpleCNN(10, 1, 28, (16, 32), 5, 2)` is the one for handwritten digits, 28,938 weights.
    `image_size` is a number or (height, width), `padding` the zeros around each convolution's input.
    """

    def __init__(self, num_classes=3, in_channels=3, image_size=128, channels=(32, 32), kernel_size=6, padding=0):
        size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
        layers, narrow = [], in_channels
        for wide in channels:
            size = tuple((side + 2 * padding - kernel_size + 1) // 2 for side in size)
            if min(size) < 1:
                raise ValueError(f"SimpleCNN: image_size {image_size} is too small for {len(channels)} convolutions of "
                                 f"{kernel_size}x{kernel_size} with pooling")
            layers += [nn.Conv2d(narrow, wide, kernel_size, padding=padding), nn.ReLU(), nn.MaxPool2d(2)]
            narrow = wide
        super().__init__(*layers, nn.Flatten(), nn.Linear(narrow * size[0] * size[1], num_classes))


simple_cnn = variant("simple_cnn", SimpleCNN, input_size=(3, 128, 128))
