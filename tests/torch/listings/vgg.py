"""VGG built from a list of widths, with and without batch normalisation; some layers frozen."""
import torch
import torch.nn as nn

BATCH, CLASSES = (2, 3, 32, 32), 10

cfg = {
    'VGG11': [8, 'M', 16, 'M', 32, 32, 'M', 32, 32, 'M', 32, 32, 'M'],
}


class VGG(nn.Module):
    def __init__(self, vgg_name, batch_norm=True):
        super(VGG, self).__init__()
        self.features = self._make_layers(cfg[vgg_name], batch_norm)
        self.classifier = nn.Linear(32, 10)
        self._initialize_weights()

    def forward(self, x):
        out = self.features(x)
        out = out.view(out.size(0), -1)
        out = self.classifier(out)
        return out

    def _make_layers(self, cfg, batch_norm):
        layers = []
        in_channels = 3
        for x in cfg:
            if x == 'M':
                layers += [nn.MaxPool2d(kernel_size=2, stride=2)]
            else:
                conv = nn.Conv2d(in_channels, x, kernel_size=3, padding=1)
                if batch_norm:
                    layers += [conv, nn.BatchNorm2d(x), nn.ReLU(inplace=True)]
                else:
                    layers += [conv, nn.ReLU(True)]
                in_channels = x
        layers += [nn.AvgPool2d(kernel_size=1, stride=1)]
        return nn.Sequential(*layers)

    def _initialize_weights(self):
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode='fan_out', nonlinearity='relu')
                if m.bias is not None:
                    nn.init.constant_(m.bias, 0)
            elif isinstance(m, nn.BatchNorm2d):
                nn.init.constant_(m.weight, 1)
                nn.init.constant_(m.bias, 0)
            elif isinstance(m, nn.Linear):
                nn.init.normal_(m.weight, 0, 0.01)
                nn.init.constant_(m.bias, 0)


def build():
    return nn.ModuleList([VGG('VGG11'), VGG('VGG11', batch_norm=False)])


def train(models, loader):
    for model in models:
        for name, param in model.named_parameters():
            if name.startswith("features.0."):
                param.requires_grad = False
        optimizer = torch.optim.SGD(filter(lambda p: p.requires_grad, model.parameters()), lr=0.05, momentum=0.9)
        scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[2, 3], gamma=0.1)
        for images, labels in loader:
            outputs = model(images)
            loss = nn.CrossEntropyLoss(weight=torch.arange(1., 11.))(outputs, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            yield loss.item()
        yield sum(p.numel() for p in model.parameters() if p.requires_grad)
        yield from (k in str(model) for k in ("Conv2d(3, 8", "MaxPool2d"))
