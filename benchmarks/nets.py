"""The networks that are measured, each written once for both libraries: `t` is tinycnn or torch."""


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


def resnet18(t):
    """ResNet-18 for 32x32 pictures: no stem pooling, four stages of two basic blocks."""
    nn = t.nn

    def convolution(channels, width, kernel, stride):
        return nn.Sequential(nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(width))

    class Block(nn.Module):
        def __init__(self, channels, width, stride):
            super().__init__()
            self.first, self.second = convolution(channels, width, 3, stride), convolution(width, width, 3, 1)
            same = stride == 1 and channels == width
            self.shortcut = nn.Sequential() if same else convolution(channels, width, 1, stride)

        def forward(self, x):
            return t.relu(self.second(t.relu(self.first(x))) + self.shortcut(x))

    layers, channels = [convolution(3, 64, 3, 1), nn.ReLU()], 64
    for width, stride in ((64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)):
        layers.append(Block(channels, width, stride))
        channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))
