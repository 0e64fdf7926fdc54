"""VATT: video, sound and text through one kind of network, taught by what happens at the same time.

The lecture's idea: a transformer takes tokens, whatever they were made of. Cubes of video, pieces of a waveform and words
each need one linear map of their own, and the rest is the same. No labels: what is seen, heard and said at one time belongs
together, and everything else in the batch does not. Sound fits a moment exactly; words come a little earlier or later, so
that several texts count as one right answer (MIL-NCE). Sound and video are compared in one space, video and text in a second
one, coarser, reached from the first.

Source: H. Akbari et al., "VATT: transformers for multimodal self-supervised learning from raw video, audio and text" (2021),
section 3.
"""
from .. import arange, cat, nn, randperm, zeros
from ..nn import functional as F
from .registry import Text, variant
from .vit import EncoderBlock, LayerNorm, check_patches


class ModalityEncoder(nn.Module):
    """Tokens (N, L, dim) -> a vector (N, dim): one more token in front, blocks of attention, and what that token learned.

    In training DropToken leaves out a share `drop_token` of the tokens: raw video and sound say everything many times.
    """

    def __init__(self, dim, num_layers, num_heads, drop_token=0.0):
        super().__init__()
        self.drop_token = drop_token
        self.token = nn.Parameter(nn.init.trunc_normal_(zeros(1, 1, dim), std=0.02))
        self.layers = nn.Sequential(*(EncoderBlock(num_heads, dim, 4 * dim) for _ in range(num_layers)))
        self.norm = LayerNorm(dim)

    def forward(self, x):
        if self.training and self.drop_token:
            keep = max(1, round(x.shape[1] * (1 - self.drop_token)))
            x = x[:, randperm(x.shape[1], device=x.device)[:keep]]
        return self.norm(self.layers(cat([self.token.expand(x.shape[0], -1, -1), x], 1)))[:, 0]


def positions(*shape):
    """Learned positions of this shape."""
    return nn.Parameter(nn.init.trunc_normal_(zeros(*shape), std=0.02))


class VATT(nn.Module):
    """(video, audio, text) -> a dict of vectors of length 1, to be compared in two spaces.

    "video_audio" and "audio_video" (N, common_dim) with each other, "video_text" (N, text_dim) with "text_video"
    (N, K, text_dim). Inputs are
    video (N, 3, num_frames, image_size, image_size), audio (N, num_samples), the waveform, and text (N, K, context_length),
    integers below vocab_size: K texts that are spoken around that moment. A video's position is the sum of one learned for
    its time, its row and its column. `patch` gives the sides of a cube of video, `audio_patch` the samples of a token.
    """

    def __init__(self, num_frames=8, image_size=32, patch=(2, 8, 8), num_samples=2048, audio_patch=64, context_length=16,
                 vocab_size=258, dim=64, num_layers=2, num_heads=4, common_dim=32, text_dim=16, drop_token=0.5):
        super().__init__()
        self.video_size = (3, num_frames, image_size, image_size)
        self.num_samples, self.context_length = num_samples, context_length
        times, rows, columns = (check_patches("VATT", size, side)
                                for size, side in zip((num_frames, image_size, image_size), patch, strict=True))
        self.video_proj = nn.Conv3d(3, dim, patch, stride=patch)
        self.time, self.row, self.column = (positions(times, 1, 1, dim), positions(rows, 1, dim), positions(columns, dim))
        self.audio_proj = nn.Conv1d(1, dim, audio_patch, stride=audio_patch)
        self.audio_positions = positions(check_patches("VATT", num_samples, audio_patch), dim)
        self.words, self.text_positions = nn.Embedding(vocab_size, dim), positions(context_length, dim)
        self.video, self.audio = (ModalityEncoder(dim, num_layers, num_heads, drop_token) for _ in range(2))
        self.text = ModalityEncoder(dim, num_layers, num_heads)
        self.video_to_common, self.audio_to_common = nn.Linear(dim, common_dim), nn.Linear(dim, common_dim)
        self.common_to_text, self.text_to_text = nn.Linear(common_dim, text_dim), nn.Linear(dim, text_dim)

    def forward(self, video, audio, text):
        n = video.shape[0]
        if (tuple(video.shape[1:]) != self.video_size or tuple(audio.shape) != (n, self.num_samples) or text.ndim != 3
                or text.shape[0] != n or text.shape[2] != self.context_length):
            shapes = ", ".join(str(tuple(part.shape)) for part in (video, audio, text))
            raise ValueError("VATT: expected video (N, {}, {}, {}, {}), audio (N, {}) and text (N, K, {}), got shapes {}"
                             .format(*self.video_size, self.num_samples, self.context_length, shapes))
        cubes = self.video_proj(video).permute(0, 2, 3, 4, 1) + (self.time + self.row + self.column)
        common = self.video_to_common(self.video(cubes.flatten(1, 3)))
        pieces = self.audio_proj(audio.unsqueeze(1)).transpose(1, 2) + self.audio_positions
        words = self.words(text.flatten(0, 1)) + self.text_positions
        texts = self.text_to_text(self.text(words)).reshape(n, text.shape[1], self.text_to_text.out_features)
        vectors = dict(video_audio=common, audio_video=self.audio_to_common(self.audio(pieces)),
                       video_text=self.common_to_text(common), text_video=texts)
        return {name: F.normalize(v, dim=-1) for name, v in vectors.items()}


def mil_nce(x, y, temperature=0.07):
    """-log of the share that x_i (N, D) gives to its own candidates y_ik (N, K, D) among those of all, the mean over i.

        share_i = sum_k exp(x_i . y_ik / temperature) / sum_jk exp(x_i . y_jk / temperature)

    That one of the candidates fits is enough: "multiple instance learning". For K = 1 it is the ordinary contrastive loss.
    Source: Miech et al., "End-to-end learning of visual representations from uncurated instructional videos" (2020).
    """
    n, k = y.shape[:2]
    scores = (x @ y.flatten(0, 1).T / temperature).reshape(n, n, k)
    own = arange(n, device=x.device)
    return (scores.flatten(1).logsumexp(1) - scores[own, own].logsumexp(1)).mean()


def vatt_loss(vectors, temperature=0.07):
    """What VATT learns from: sound and video find each other, both ways, and video finds one of its texts."""
    video, audio = vectors["video_audio"], vectors["audio_video"]
    sound = mil_nce(video, audio.unsqueeze(1), temperature) + mil_nce(audio, video.unsqueeze(1), temperature)
    return sound / 2 + mil_nce(vectors["video_text"], vectors["text_video"], temperature)


vatt_small = variant("vatt_small", VATT, input_size=[(3, 8, 32, 32), (2048,), Text([1, 16])])
