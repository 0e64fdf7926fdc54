"""TensorBoard's files of events, by the package tensorboardX: pip install 'tinycnn[tensorboard]'."""
import tempfile
from pathlib import Path

try:
    import tensorboardX
except ImportError as error:
    raise ImportError("tinycnn.utils.tensorboard: the package tensorboardX is missing: "
                      "pip install 'tinycnn[tensorboard]'") from error

from ..engine.arrays import to_numpy
from ..engine.tensor import Tensor


class SummaryWriter(tensorboardX.SummaryWriter):
    """The writer of tensorboardX, whose methods take our Tensors wherever it takes arrays or numbers."""

    def add_graph(self, model, input_to_model, verbose=False, use_strict_trace=True):
        """The operations that `model` runs for `input_to_model`, a Tensor or a tuple; needs the package onnx, too.

        `verbose` and `use_strict_trace` are PyTorch's and change nothing.
        """
        from ..onnx import export
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "graph.onnx"
            export(model, input_to_model, path, dynamic_batch=False)
            self.add_onnx_graph(str(path))


def _plain(value):
    """`value` with arrays in place of its Tensors, inside lists, tuples and dictionaries too; one number as a number."""
    if isinstance(value, Tensor):
        array = to_numpy(value.array)
        return array.item() if array.ndim == 0 else array
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return type(value)(map(_plain, value)) if type(value) in (list, tuple) else value


def _taking_tensors(name):
    """The method `name` of tensorboardX, given arrays for Tensors."""
    method = getattr(tensorboardX.SummaryWriter, name)

    def add(self, *args, **options):
        return method(self, *_plain(args), **_plain(options))
    add.__name__, add.__doc__ = name, method.__doc__
    return add


for _name in ("add_audio", "add_embedding", "add_histogram", "add_hparams", "add_image", "add_images",
              "add_image_with_boxes", "add_mesh", "add_pr_curve", "add_scalar", "add_scalars", "add_video"):
    setattr(SummaryWriter, _name, _taking_tensors(_name))

__all__ = ["SummaryWriter"]
