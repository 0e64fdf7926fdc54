"""Pictures of what happens: every function returns a matplotlib Figure, which `figure.savefig(path)` writes.

The exceptions: `graph_mermaid` and `graph_svg` return text, the functions whose names end in `_map` arrays.
"""
from .augment import augmentations
from .compare import compare, lr_curve
from .confusion import confusion
from .convolution import convolution_steps
from .curves import curves
from .explain import grad_cam, grad_cam_map, occlusion, occlusion_map, saliency, saliency_map
from .features import activation_maximisation, feature_maps
from .filters import filters
from .graph import graph_mermaid, graph_svg
from .mistakes import mistakes
from .profile import profile
from .spread import Spread, histograms, spread
