"""A small transformer encoder for texts, images and tables: what its tokens are is all that differs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

WIDTH, LAYERS, HEADS = 64, 2, 4
LONGEST = 1024  # tokens: attention looks at each pair of them


class Words(nn.Module):
    """Word ids [N, up to length] -> vectors, each with its position's added."""

    def __init__(self, vocabulary: int, length: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, WIDTH, padding_idx=0)
        with torch.no_grad():  # torch's own begin with unit variance, at which few steps move them little
            self.embedding.weight.mul_(WIDTH**-0.5)
        self.positions = nn.Parameter(0.02 * torch.randn(length, WIDTH))

    def forward(self, ids: Tensor) -> Tensor:
        return self.embedding(ids) + self.positions[: ids.shape[1]]


class Patches(nn.Module):
    """Images [N, channels, height, width] -> a vector for each patch, with its position's added."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        size = patch_size(shape)
        self.project = nn.Conv2d(shape[0], WIDTH, size, stride=size)
        self.positions = nn.Parameter(0.02 * torch.randn(token_count(shape), WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        return self.project(x).flatten(2).transpose(1, 2) + self.positions


class Features(nn.Module):
    """Tables [N, features] -> a vector for each feature: its value times one learned vector, plus another."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(WIDTH**-0.5 * torch.randn(count, WIDTH))
        self.bias = nn.Parameter(WIDTH**-0.5 * torch.randn(count, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        return x[..., None] * self.weight + self.bias


class Transformer(nn.Module):
    """Pre-norm encoder layers over `tokens`, the mean over tokens, a linear layer.

    The layers stand in a list of their own: nn.TransformerEncoder copies one, so that all begin with equal weights,
    and turns padded batches into nested tensors.
    """

    def __init__(self, tokens: nn.Module, outputs: int) -> None:
        super().__init__()
        self.tokens = tokens
        self.layers = nn.ModuleList(_layer() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, outputs)

    def forward(self, x: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """attention_mask: [N, tokens], 0 at padding; without one every token counts."""
        h = self.tokens(x)
        padding = None if attention_mask is None else attention_mask == 0
        for layer in self.layers:
            h = layer(h, src_key_padding_mask=padding)
        h = self.norm(h)
        if padding is None:
            return self.head(h.mean(1))
        real = (~padding)[..., None].to(h.dtype)
        return self.head((h * real).sum(1) / real.sum(1))


def _layer() -> nn.TransformerEncoderLayer:
    # GELU as a module, so that plans can name it
    return nn.TransformerEncoderLayer(
        WIDTH, HEADS, 2 * WIDTH, dropout=0.0, activation=nn.GELU(), batch_first=True, norm_first=True
    )


def patch_size(shape: tuple[int, ...]) -> tuple[int, int]:
    """Height and width of an image's patch: 4 x 4, or a row where the image cannot be cut so."""
    height, width = shape[-2:]
    return (4, 4) if height % 4 == 0 and width % 4 == 0 else (1, width)


def token_count(shape: tuple[int, ...]) -> int:
    """How many tokens an image or a table's row becomes."""
    if len(shape) == 3:
        height, width = patch_size(shape)
        return shape[1] // height * (shape[2] // width)
    return shape[0]


def tokens_said(shape: tuple[int, ...]) -> str:
    """The same in words.

    >>> tokens_said((1, 28, 28)), tokens_said((3, 10, 9)), tokens_said((13,))
    ('49 patches of 4 x 4', '10 rows', '13 features')
    """
    if len(shape) == 1:
        return f"{token_count(shape)} features"
    return f"{token_count(shape)} {'patches of 4 x 4' if patch_size(shape)[0] == 4 else 'rows'}"


def transformer_for(shape: tuple[int, ...], outputs: int) -> Transformer:
    """For images: a token for each patch or row;  for tables: for each feature.

    Raises:
        ValueError: examples of another shape, or of too many tokens.
    """
    if len(shape) not in (1, 3):
        raise ValueError(
            "--model transformer takes tables [features] and images [channels, height, width], these data are "
            f"{list(shape)}"
        )
    if not 1 <= token_count(shape) <= LONGEST:
        raise ValueError(
            f"--model transformer would make {tokens_said(shape)} its tokens, allowed: 1 to {LONGEST} of them"
        )
    return Transformer(Patches(shape) if len(shape) == 3 else Features(shape[0]), outputs)
