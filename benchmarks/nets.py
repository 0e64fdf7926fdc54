"""The networks that are measured, each written once for both libraries: `t` is tinycnn or torch."""
from . import twin


def mnist_net(t):
    """Two 5x5 convolutions of 16 and 32 maps and one linear layer: 28,938 weights for 28x28 digits."""
    nn = t.nn
    return nn.Sequential(
        nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 7 * 7, 10))


def lenet5(t):
    """LeNet-5 with the parts of today: ReLU, maximum pooling, softmax scores."""
    nn = t.nn
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(16 * 7 * 7, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))


def shapes_net(t):
    """The usual beginner's net for larger pictures: two 6x6 convolutions on 128x128 pixels, three classes."""
    nn = t.nn
    return nn.Sequential(
        nn.Conv2d(3, 32, 6), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 32, 6), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 28 * 28, 3))


def vgg16(t):
    """VGG-16 for 32x32 pictures: thirteen 3x3 convolutions with batch norm, one linear layer."""
    nn = t.nn
    layers, channels = [], 3
    for width, repeats in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(repeats):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(512, 10))


def zoo(file, builder, *args, **options):
    """The model `builder(*args, **options)` of tinycnn/models/FILE.py, as a function of the library."""
    return lambda t: getattr(twin.family(t, file), builder)(*args, **options)
