"""Models as files of ONNX, which other programs run, among them browsers: `tinycnn.onnx.export`, `tinycnn.onnx.load`.

Both stand on the package onnx: pip install 'tinycnn[onnx]'.
"""
try:
    import onnx as _onnx  # noqa: F401
except ImportError as error:
    raise ImportError("tinycnn.onnx: the package onnx is missing: pip install 'tinycnn[onnx]'") from error
from .exporting import export
from .loading import load, load_weights
