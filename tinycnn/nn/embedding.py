"""A table of learned vectors."""
from ..ops.creation import empty
from ..engine.checks import check_floating
from . import functional as F
from . import init
from .arguments import integer
from .module import Module
from .parameter import Parameter


class Embedding(Module):
    """The rows `weight[i]` for integers i: input (*) -> output (*, embedding_dim), see `F.embedding`.

    Parameter: `weight` (num_embeddings, embedding_dim), standard normal at first. The row `padding_idx` is zero at first and
    gets no gradient. With `max_norm`, rows that are looked up are first shortened to that length; with `scale_grad_by_freq`,
    the gradients of a row are averaged. See `F.embedding`.
    """

    def __init__(self, num_embeddings, embedding_dim, padding_idx=None, max_norm=None, norm_type=2.0,
                 scale_grad_by_freq=False, *, _weight=None, _freeze=False, device=None, dtype=None):
        super().__init__()
        self.num_embeddings = integer("Embedding", "num_embeddings", num_embeddings, 0)
        self.embedding_dim = integer("Embedding", "embedding_dim", embedding_dim, 0)
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise ValueError(f"Embedding: padding_idx must be within num_embeddings={num_embeddings}, got {padding_idx}")
        self.max_norm, self.norm_type, self.scale_grad_by_freq = max_norm, norm_type, scale_grad_by_freq
        self.padding_idx = None if padding_idx is None else padding_idx % num_embeddings
        if _weight is not None and _weight.shape != (num_embeddings, embedding_dim):
            raise ValueError(f"Embedding: weight must have shape {(num_embeddings, embedding_dim)}, got {_weight.shape}")
        values = empty(num_embeddings, embedding_dim, device=device, dtype=dtype) if _weight is None else _weight
        self.weight = Parameter(values, requires_grad=not _freeze)
        if _weight is None:
            self.reset_parameters()

    @classmethod
    def from_pretrained(cls, embeddings, freeze=True, padding_idx=None, max_norm=None, norm_type=2.0,
                        scale_grad_by_freq=False):
        """An Embedding whose weight is the tensor `embeddings` (num, dim); `freeze` keeps it from being trained."""
        check_floating("Embedding.from_pretrained", embeddings=embeddings)
        if embeddings.ndim != 2:
            raise ValueError(f"Embedding.from_pretrained: embeddings must have 2 dimensions, got shape {embeddings.shape}")
        return cls(*embeddings.shape, padding_idx, max_norm, norm_type, scale_grad_by_freq, _weight=embeddings,
                   _freeze=freeze)

    def reset_parameters(self):
        """Draw the rows anew."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight.array[self.padding_idx] = 0

    def forward(self, input):
        return F.embedding(input, self.weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq)

    def extra_repr(self):
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        for name, usual in (("padding_idx", None), ("max_norm", None), ("norm_type", 2.0), ("scale_grad_by_freq", False)):
            if getattr(self, name) != usual:
                text += f", {name}={getattr(self, name)}"
        return text
