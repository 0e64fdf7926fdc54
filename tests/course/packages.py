"""Packages that are written for PyTorch, run with tinycnn in its place: how many of their examples work, and why others not.

    pip install --no-deps einops torchinfo torchsummary torch-lr-finder skorch torchattacks pytorch-metric-learning
    pip install scikit-learn pandas tabulate requests
    python tests/course/packages.py

in an environment without PyTorch. PACKAGES.md has the table.
"""
import contextlib
import inspect
import io
import warnings

import numpy as np

import tinycnn

tinycnn.as_torch()

import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

RESULTS = {}


def example(package, name, call):
    """Try one example, silently."""
    worked, failed = RESULTS.setdefault(package, ([], []))
    torch.manual_seed(0)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            call()
        worked.append(name)
    except Exception as error:
        failed.append(f"{name}: {type(error).__name__}: {str(error)[:100]}")


def small(channels=1):
    """A small network for pictures of 8x8 pixels."""
    return nn.Sequential(nn.Conv2d(channels, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 10))


def einops_functions():
    from einops import einsum, pack, rearrange, reduce, repeat
    from einops.layers.torch import EinMix, Rearrange, Reduce
    x = torch.randn(4, 3, 8, 8, requires_grad=True)
    for name, y in {"rearrange": lambda: rearrange(x, "b c (h p) (w q) -> b (h w) (p q c)", p=2, q=2),
                    "reduce": lambda: reduce(x, "b c (h 2) (w 2) -> b c h w", "max"),
                    "mean": lambda: reduce(x, "b c h w -> b c", "mean"),
                    "repeat": lambda: repeat(x, "b c h w -> b c (h 2) (w 2)"),
                    "einsum": lambda: einsum(x, x, "b c h w, b d h w -> b c d"), "pack": lambda: pack([x, x], "b * h w")[0],
                    "Rearrange": lambda: Rearrange("b c h w -> b (c h w)")(x),
                    "Reduce": lambda: Reduce("b c h w -> b c", "mean")(x),
                    "EinMix": lambda: EinMix("b c h w -> b d h w", "d c", bias_shape="d", c=3, d=5)(x)}.items():
        example("einops", name, lambda: y().sum().backward())


def summaries():
    import torchinfo
    import torchsummary
    for name in ("alexnet", "vgg11", "resnet18", "mobilenet_v2", "densenet121", "squeezenet1_1", "googlenet", "swin_t",
                 "efficientnet_b0", "vit_b_32", "convnext_tiny", "shufflenet_v2_x1_0"):
        net = tinycnn.models.get_model(name).eval()
        example("torchinfo", name, lambda: str(torchinfo.summary(net, input_size=(1, 3, 224, 224), verbose=0)))
        example("torchsummary", name, lambda: torchsummary.summary(net, (3, 224, 224), device="cpu"))


def learning_rates():
    import matplotlib
    from torch_lr_finder import LRFinder
    matplotlib.use("Agg")
    loader = DataLoader(TensorDataset(torch.randn(64, 1, 8, 8), torch.randint(0, 10, (64,))), 8)

    def search(**options):
        net = small()
        finder = LRFinder(net, torch.optim.SGD(net.parameters(), lr=1e-4), nn.CrossEntropyLoss(), device="cpu")
        finder.range_test(loader, end_lr=1, num_iter=30, **options)
        finder.plot()
        finder.reset()
    for options in ({}, {"step_mode": "linear"}, {"val_loader": loader}, {"accumulation_steps": 2}):
        example("torch-lr-finder", str(list(options)), lambda: search(**options))


class Tabular(nn.Module):
    """The network of skorch's first example."""

    def __init__(self, num_units=10):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(20, num_units), nn.ReLU(), nn.Linear(num_units, 2), nn.Softmax(dim=-1))

    def forward(self, X):  # noqa: N803 (skorch's name)
        return self.layers(X)


def estimators():
    from skorch import NeuralNetClassifier, NeuralNetRegressor
    from skorch.callbacks import EarlyStopping, EpochScoring, LRScheduler
    from sklearn.datasets import make_classification
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    x, y = make_classification(200, 20, n_informative=10, random_state=0)
    x, y = x.astype(np.float32), y.astype(np.int64)

    def net(**options):
        return NeuralNetClassifier(Tabular, max_epochs=3, lr=0.1, verbose=0, iterator_train__shuffle=True, **options)

    def saved():
        first, second = net().fit(x, y), net().initialize()
        file = io.BytesIO()
        first.save_params(f_params=file)
        file.seek(0)
        second.load_params(f_params=file)
        assert np.allclose(first.predict_proba(x), second.predict_proba(x))
    callbacks = [EarlyStopping(), LRScheduler(policy="StepLR", step_size=1), EpochScoring("roc_auc", lower_is_better=False)]
    search = GridSearchCV(net(train_split=False), {"lr": [0.01, 0.1], "module__num_units": [5, 10]}, refit=False, cv=2,
                          scoring="accuracy", error_score="raise")
    example("skorch", "fit, predict_proba", lambda: net().fit(x, y).predict_proba(x))
    example("skorch", "pipeline", lambda: make_pipeline(StandardScaler(), net()).fit(x, y).predict(x))
    example("skorch", "grid search", lambda: search.fit(x, y))
    example("skorch", "callbacks", lambda: net(callbacks=callbacks).fit(x, y))
    regressor = NeuralNetRegressor(nn.Linear, module__in_features=20, module__out_features=1, max_epochs=2, verbose=0)
    example("skorch", "regression", lambda: regressor.fit(x, y[:, None].astype(np.float32)))
    example("skorch", "save_params, load_params", saved)


def attacks():
    import torchattacks
    pictures, labels = torch.rand(2, 3, 8, 8), torch.tensor([1, 2])
    for name, attack in sorted(vars(torchattacks).items()):
        if inspect.isclass(attack) and name not in ("Attack", "MultiAttack", "LGV"):  # the last needs a training
            example("torchattacks", name, lambda: attack(small(3).eval())(pictures, labels).reshape(2, 3, 8, 8))


def metric_losses():
    from pytorch_metric_learning import losses
    labels = torch.arange(16) // 4
    arguments = {**dict.fromkeys(("ArcFaceLoss", "CosFaceLoss", "LargeMarginSoftmaxLoss", "SphereFaceLoss", "ProxyNCALoss",
                                  "NormalizedSoftmaxLoss", "ProxyAnchorLoss", "SoftTripleLoss", "SubCenterArcFaceLoss"),
                                 dict(num_classes=10, embedding_size=8)),
                 "P2SGradLoss": dict(descriptors_dim=8, num_classes=10)}
    # made of other losses, or with arguments that have no usual values
    left_out = ("CrossBatchMemory", "SelfSupervisedLoss", "RankedListLoss", "VICRegLoss", "PNPLoss", "ManifoldLoss",
                "ThresholdConsistentMarginLoss", "GenericPairLoss")
    for name, loss in sorted(vars(losses).items()):
        if inspect.isclass(loss) and name.endswith("Loss") and name not in left_out:
            x = torch.randn(16, 8, requires_grad=True)
            example("pytorch-metric-learning", name, lambda: loss(**arguments.get(name, {}))(x, labels).backward())


warnings.simplefilter("ignore")
for part in (einops_functions, summaries, learning_rates, estimators, attacks, metric_losses):
    part()
for package, (worked, failed) in RESULTS.items():
    print(f"{package}: {len(worked)} of {len(worked) + len(failed)}")
    print(*(f"    {line}" for line in failed), sep="\n", end="\n" * bool(failed))
