"""Fully convolutional networks: a class for every pixel, from a network that knew one for the whole picture.

The lecture's idea: a linear layer on a 7x7 map is a 7x7 convolution with the same weights. So VGG-16 slides over pictures of
any size and gives a coarse map of scores, one for each 32 pixels, which a transposed convolution, at first bilinear
interpolation, brings back to full size (FCN-32s). Its outlines are blurred: where is a question for early layers, what for
late ones. Adding scores from pool4 and pool3 on the way up sharpens them (FCN-16s, FCN-8s): the first skips across scales.

Source: J. Long, E. Shelhamer and T. Darrell, "Fully convolutional networks for semantic segmentation" (2015). The margin of
100 pixels around the picture makes all maps large enough to be cut to size.
"""
from .. import eye, nn, tensor
from .blocks import initialise
from .registry import variant
from .vgg import CONFIGURATIONS, make_layers


def bilinear_kernel(channels, size):
    """The weight (channels, channels, size, size) of a transposed convolution that interpolates every channel linearly."""
    factor = (size + 1) // 2
    center = factor - 1 if size % 2 else factor - 0.5
    line = [1 - abs(i - center) / factor for i in range(size)]
    return eye(channels).reshape(channels, channels, 1, 1) * tensor([[a * b for a in line] for b in line])


def crop(x, like, offset):
    """The part of x (N, C, H', W') that begins at (offset, offset) and has the size of `like`."""
    height, width = like.shape[-2:]
    return x[:, :, offset:offset + height, offset:offset + width]


class FCN(nn.Module):
    """x (N, 3, H, W) -> scores (N, num_classes, H, W), any size. `stride` is 32, 16 or 8.

    `features` has the names and weights of VGG-16's, and `load_vgg16` makes fc6 and fc7 of its linear layers, whose width is
    `hidden`.
    """

    def __init__(self, stride=32, num_classes=21, hidden=4096, dropout=0.5):
        super().__init__()
        if stride not in (32, 16, 8):
            raise ValueError(f"FCN: stride must be 32, 16 or 8, got {stride}")
        self.stride = stride
        self.features = make_layers(CONFIGURATIONS["D"])
        self.features[0].padding = (100, 100)
        for m in self.features:
            if isinstance(m, nn.MaxPool2d):
                m.ceil_mode = True
        self.fc6, self.fc7 = nn.Conv2d(512, hidden, 7), nn.Conv2d(hidden, hidden, 1)
        self.relu, self.dropout = nn.ReLU(), nn.Dropout2d(dropout)
        self.score_fr = nn.Conv2d(hidden, num_classes, 1)
        initialise(self)
        if stride <= 16:
            self.upscore2 = self._upscore(num_classes, 2)
            self.score_pool4 = nn.Conv2d(512, num_classes, 1)
        if stride == 8:
            self.upscore_pool4 = self._upscore(num_classes, 2)
            self.score_pool3 = nn.Conv2d(256, num_classes, 1)
        self.upscore = self._upscore(num_classes, stride)
        for m in (self.score_fr, *(getattr(self, name) for name in ("score_pool4", "score_pool3") if hasattr(self, name))):
            nn.init.zeros_(m.weight)  # so that training starts from the coarser network, or from none
            nn.init.zeros_(m.bias)

    @staticmethod
    def _upscore(channels, factor):
        layer = nn.utils.skip_init(nn.ConvTranspose2d, channels, channels, 2 * factor, stride=factor, bias=False)
        layer.weight = nn.Parameter(bilinear_kernel(channels, 2 * factor))
        return layer

    def load_vgg16(self, state):
        """Take over the weights of a VGG-16 with `hidden` units a layer from its state_dict."""
        self.features.load_state_dict({key.removeprefix("features."): value for key, value in state.items()
                                       if key.startswith("features.")})
        for layer, name in ((self.fc6, "classifier.0"), (self.fc7, "classifier.3")):
            weight = state[name + ".weight"].reshape(layer.weight.shape)
            layer.load_state_dict({"weight": weight, "bias": state[name + ".bias"]})
        return self

    def forward(self, x):
        pools, y = [], x
        for m in self.features:
            y = m(y)
            if isinstance(m, nn.MaxPool2d):
                pools.append(y)
        y = self.dropout(self.relu(self.fc6(y)))
        y = self.score_fr(self.dropout(self.relu(self.fc7(y))))
        if self.stride <= 16:
            y = self.upscore2(y)
            y = y + crop(self.score_pool4(pools[3]), y, 5)
        if self.stride == 8:
            y = self.upscore_pool4(y)
            y = y + crop(self.score_pool3(pools[2]), y, 9)
        return crop(self.upscore(y), x, {32: 19, 16: 27, 8: 31}[self.stride])


fcn32s = variant("fcn32s", FCN, stride=32, input_size=(3, 500, 500))
fcn16s = variant("fcn16s", FCN, stride=16, input_size=(3, 500, 500))
fcn8s = variant("fcn8s", FCN, stride=8, input_size=(3, 500, 500))
