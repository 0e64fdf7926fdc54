"""CLIP: pictures and sentences in one space.

The lecture's idea: labels are a poor teacher, captions are everywhere. One network makes a vector of a picture, another one
of a text; of N pairs in a batch each picture must find its own text among the N, and each text its picture, by the cosine
of their vectors. Afterwards a classifier needs no training: write "a photo of a dog", "a photo of a cat", and see which
sentence is nearest to the picture.

Source: A. Radford et al., "Learning transferable visual models from natural language supervision" (2021), figures 1 and 3.
Names are those of its files.
"""
import math
from collections import OrderedDict

from .. import arange, cat, full, nn, no_grad, ones, stack, tensor, tril, zeros
from ..nn import functional as F
from .cvt import QuickGELU
from .registry import PHOTOGRAPH, SMALL, Text, variant
from .vit import check_patches, check_picture

START, END = 256, 257  # tokens beside the 256 bytes


def tokenize(texts, context_length=77):
    """Texts as numbers, (N, context_length): START, the bytes of each in UTF-8, END, and zeros.

    The published networks cut texts into 49,408 pieces of words instead, with a table of their own; their END is their
    largest number, too, which is all that the network asks for. ValueError for a text that is too long.
    """
    rows = []
    for text in [texts] if isinstance(texts, str) else texts:
        row = [START, *text.encode(), END]
        if len(row) > context_length:
            raise ValueError(f"tokenize: expected texts of at most {context_length - 2} bytes, got {len(row) - 2}: {text!r}")
        rows.append(row + [0] * (context_length - len(row)))
    return tensor(rows, dtype="int64") if rows else zeros(0, context_length, dtype="int64")


class ResidualAttentionBlock(nn.Module):
    """x (N, L, D) -> x + attention(norm(x)), then x + mlp(norm(x)); `attn_mask` (L, L) True where a token may not look."""

    def __init__(self, dim, num_heads):
        super().__init__()
        self.attn = nn.MultiheadAttention(dim, num_heads, batch_first=True)
        self.ln_1 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(OrderedDict(c_fc=nn.Linear(dim, 4 * dim), gelu=QuickGELU(), c_proj=nn.Linear(4 * dim, dim)))
        self.ln_2 = nn.LayerNorm(dim)

    def forward(self, x, attn_mask=None):
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False, attn_mask=attn_mask)[0]
        return x + self.mlp(self.ln_2(x))


class Transformer(nn.Module):
    """`layers` blocks one after the other."""

    def __init__(self, dim, layers, num_heads):
        super().__init__()
        self.resblocks = nn.ModuleList(ResidualAttentionBlock(dim, num_heads) for _ in range(layers))
        for block in self.resblocks:
            nn.init.normal_(block.attn.in_proj_weight, std=dim ** -0.5)
            nn.init.normal_(block.attn.out_proj.weight, std=dim ** -0.5 * (2 * layers) ** -0.5)
            nn.init.normal_(block.mlp.c_fc.weight, std=(2 * dim) ** -0.5)
            nn.init.normal_(block.mlp.c_proj.weight, std=dim ** -0.5 * (2 * layers) ** -0.5)

    def forward(self, x, attn_mask=None):
        for block in self.resblocks:
            x = block(x, attn_mask)
        return x


class VisualTransformer(nn.Module):
    """Pictures (N, 3, image_size, image_size) -> vectors (N, embed_dim)."""

    def __init__(self, image_size, patch_size, dim, layers, num_heads, embed_dim):
        super().__init__()
        length = check_patches("CLIP", image_size, patch_size) ** 2 + 1
        self.image_size, scale = image_size, dim ** -0.5
        self.class_embedding = nn.Parameter(nn.init.normal_(zeros(dim), std=scale))
        self.positional_embedding = nn.Parameter(nn.init.normal_(zeros(length, dim), std=scale))
        self.proj = nn.Parameter(nn.init.normal_(zeros(dim, embed_dim), std=scale))
        self.conv1 = nn.Conv2d(3, dim, patch_size, stride=patch_size, bias=False)
        self.ln_pre = nn.LayerNorm(dim)
        self.transformer = Transformer(dim, layers, num_heads)
        self.ln_post = nn.LayerNorm(dim)

    def forward(self, x):
        check_picture(self, x, 3, self.image_size, self.image_size)
        x = self.conv1(x).flatten(2).transpose(1, 2)
        x = cat([self.class_embedding.expand(x.shape[0], 1, -1), x], 1) + self.positional_embedding
        x = self.transformer(self.ln_pre(x))
        return self.ln_post(x[:, 0]) @ self.proj


class CLIP(nn.Module):
    """(image (N, 3, H, W), text (M, context_length)) -> (logits_per_image (N, M), logits_per_text (M, N)).

    A logit is the cosine of a picture's and a text's vector times a learned factor. Texts are integers, see `tokenize`; what
    follows their largest number, END, is ignored. `vision_...` and `transformer_...` are the sizes of the two networks.
    """

    def __init__(self, embed_dim=512, image_resolution=224, vision_layers=12, vision_width=768, vision_patch_size=32,
                 context_length=77, vocab_size=49408, transformer_width=512, transformer_heads=8, transformer_layers=12,
                 vision_heads=None):
        super().__init__()
        self.context_length, self.vocab_size = context_length, vocab_size
        self.positional_embedding = nn.Parameter(nn.init.normal_(zeros(context_length, transformer_width), std=0.01))
        self.text_projection = nn.Parameter(nn.init.normal_(zeros(transformer_width, embed_dim),
                                                            std=transformer_width ** -0.5))
        self.logit_scale = nn.Parameter(full((), math.log(1 / 0.07)))
        self.visual = VisualTransformer(image_resolution, vision_patch_size, vision_width, vision_layers,
                                        vision_heads or max(1, vision_width // 64), embed_dim)
        self.transformer = Transformer(transformer_width, transformer_layers, transformer_heads)
        self.token_embedding = nn.Embedding(vocab_size, transformer_width)
        nn.init.normal_(self.token_embedding.weight, std=0.02)
        self.ln_final = nn.LayerNorm(transformer_width)

    def encode_image(self, image):
        """Pictures (N, 3, H, W) -> vectors (N, embed_dim)."""
        return self.visual(image)

    def encode_text(self, text):
        """Texts (M, context_length) -> vectors (M, embed_dim): what stands at END, which has read all that comes before."""
        if text.ndim != 2 or text.shape[1] != self.context_length or text.dtype.kind not in "iu":
            raise ValueError(f"CLIP: expected texts as integers (M, {self.context_length}), got shape {tuple(text.shape)} "
                             f"and dtype {text.dtype}; see tokenize")
        x = self.token_embedding(text) + self.positional_embedding
        later = ~tril(ones(self.context_length, self.context_length, dtype="bool", device=text.device))
        x = self.ln_final(self.transformer(x, later))
        return x[arange(x.shape[0], device=text.device), text.argmax(-1)] @ self.text_projection

    def forward(self, image, text):
        pictures, texts = F.normalize(self.encode_image(image)), F.normalize(self.encode_text(text))
        logits = self.logit_scale.exp() * pictures @ texts.T
        return logits, logits.T


def contrastive_loss(logits_per_image, logits_per_text):
    """The mean cross-entropy of finding picture i's text, i, and text i's picture, i: from (N, N) logits each."""
    if logits_per_image.shape != logits_per_text.shape or logits_per_image.shape[0] != logits_per_image.shape[-1]:
        raise ValueError("contrastive_loss: expected two square tables of N pictures and their N texts, got shapes "
                         f"{tuple(logits_per_image.shape)} and {tuple(logits_per_text.shape)}")
    own = arange(logits_per_image.shape[0], device=logits_per_image.device)
    return (F.cross_entropy(logits_per_image, own) + F.cross_entropy(logits_per_text, own)) / 2


def zero_shot_weights(model, classes, templates=("a photo of a {}.",), tokenize=tokenize):
    """A classifier made of words, (embed_dim, len(classes)): the mean vector of each class' name in all the `templates`."""
    columns = []
    with no_grad():
        for name in classes:
            texts = tokenize([template.format(name) for template in templates], model.context_length)
            vectors = F.normalize(model.encode_text(texts.to(model.logit_scale.device)))
            columns.append(F.normalize(vectors.mean(0), dim=0))
    return stack(columns, 1)


def zero_shot_classify(model, image, weights):
    """The probabilities (N, classes) of pictures (N, 3, H, W), given `zero_shot_weights`."""
    with no_grad():
        return (model.logit_scale.exp() * F.normalize(model.encode_image(image)) @ weights).softmax(-1)


clip_vit_b_32 = variant("clip_vit_b_32", CLIP, input_size=[PHOTOGRAPH, Text([77])])
clip_vit_b_16 = variant("clip_vit_b_16", CLIP, vision_patch_size=16, input_size=[PHOTOGRAPH, Text([77])])
clip_small = variant("clip_small", CLIP, embed_dim=64, image_resolution=32, vision_layers=3, vision_width=64,
                     vision_patch_size=4, vision_heads=4, context_length=32, vocab_size=258, transformer_width=64,
                     transformer_heads=4, transformer_layers=2, input_size=[SMALL, Text([32])])
