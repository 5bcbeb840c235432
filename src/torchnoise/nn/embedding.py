"""Embeddings with Gaussian noise on the vectors that come out; the table itself stays clean."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from ..sites.masks import both, dims_mask
from ..sources import Gaussian
from .draw import check_std, with_noise

_ADD = Gaussian(0.0)


class _VectorNoise(nn.Module):
    """What embeddings with noise share: the settings, and the noise on a tensor of vectors."""

    embedding_dim: int

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        noise_std: float = 0.1,
        noise_dims: Sequence[int] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(num_embeddings, embedding_dim, **more)
        self._set_noise(noise_std, noise_dims)

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        *args: Any,
        noise_std: float = 0.1,
        noise_dims: Sequence[int] | None = None,
        **more: Any,
    ) -> Self:
        """As torch's from_pretrained, with noise_std and noise_dims by name."""
        layer = super().from_pretrained(embeddings, *args, **more)  # type: ignore[misc]
        layer._set_noise(noise_std, noise_dims)
        return layer

    def _set_noise(self, noise_std: float, noise_dims: Sequence[int] | None) -> None:
        name, size = type(self).__name__, self.embedding_dim
        self.noise_std = check_std(f"{name}: noise_std", noise_std)
        self.noise_dims = None if noise_dims is None else tuple(map(operator.index, noise_dims))
        for d in self.noise_dims or ():
            if not -size <= d < size:
                raise IndexError(f"{name}: noise_dims has {d}, allowed: {-size} to {size - 1}")

    @property
    def _enters(self) -> bool:
        return self.training and self.noise_std != 0.0

    def _noisy(self, vectors: Tensor, keep: Tensor | None) -> Tensor:
        name = type(self).__name__
        if self.noise_dims is not None:
            keep = both(keep, dims_mask(self.noise_dims, -1, vectors, name))
        return with_noise(vectors, _ADD, self.noise_std, name, keep=keep)

    def extra_repr(self) -> str:
        more = "" if self.noise_dims is None else f", noise_dims={list(self.noise_dims)}"
        return f"{super().extra_repr()}, noise_std={self.noise_std:g}{more}"


class NoisyEmbedding(_VectorNoise, nn.Embedding):
    """nn.Embedding with Gaussian noise on each vector looked up, in training: two places of one word differ.

    Formula: in training y[..., d] = W[id, d] + std z for d in noise_dims, z ~ N(0, 1) for each element of y; exactly
    W[id] for id = padding_idx, for other d, and in eval. The gradient with respect to W is nn.Embedding's, sparse where
    sparse=True.

    Args:
        num_embeddings, embedding_dim: as of nn.Embedding.
        noise_std: in the unit of the vectors. It may be changed between forwards.
        noise_dims: which dims get noise, negative ones from the end; None: all.
        ...: by name, all else that nn.Embedding takes: padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse,
            device, dtype.

    Shapes: ids of any shape -> [..., embedding_dim]. state_dict as of nn.Embedding. One key for each forward comes from
    torch's default generator.

    Raises:
        ValueError: a negative noise_std. IndexError: noise_dims outside the vectors.

    >>> import torch
    >>> layer = NoisyEmbedding(10, 4, noise_std=0.1, noise_dims=[0, 1], padding_idx=0)
    >>> noise = layer(torch.tensor([0, 3])) - layer.weight[[0, 3]]
    >>> (noise != 0).tolist()
    [[False, False, False, False], [True, True, False, False]]

    Source: Jain et al., "NEFTune", ICLR 2024, which takes uniform noise of alpha / sqrt(L d); for that see
    tn.attach and tn.Embeddings.
    """

    def forward(self, input: Tensor) -> Tensor:
        vectors = super().forward(input)
        if not self._enters:
            return vectors
        return self._noisy(vectors, None if self.padding_idx is None else (input != self.padding_idx)[..., None])


class NoisyEmbeddingBag(_VectorNoise, nn.EmbeddingBag):
    """nn.EmbeddingBag with Gaussian noise on each bag's vector, in training.

    Formula: in training y[b, d] = bag(b)[d] + std z for d in noise_dims, z ~ N(0, 1) for each element; exactly
    nn.EmbeddingBag's y for other d, for bags without a word (empty, or padding_idx alone), and in eval.

    Args:
        num_embeddings, embedding_dim, noise_std, noise_dims: as of NoisyEmbedding.
        ...: by name, all else that nn.EmbeddingBag takes: mode, padding_idx, max_norm, norm_type, scale_grad_by_freq,
            sparse, include_last_offset, device, dtype.

    Shapes: ids [B, N], or ids [N] with offsets [B] -> [B, embedding_dim]. state_dict as of nn.EmbeddingBag. One key for
    each forward comes from torch's default generator.

    Raises:
        ValueError: a negative noise_std. IndexError: noise_dims outside the vectors.

    >>> import torch
    >>> layer = NoisyEmbeddingBag(10, 4, noise_std=0.1, mode="sum")
    >>> layer(torch.tensor([1, 2, 3]), torch.tensor([0, 2])).shape
    torch.Size([2, 4])
    >>> layer(torch.tensor([1]), torch.tensor([0, 1]))[1].tolist()
    [0.0, 0.0, 0.0, 0.0]
    """

    def forward(self, input: Tensor, offsets: Tensor | None = None, per_sample_weights: Tensor | None = None) -> Tensor:
        vectors = super().forward(input, offsets, per_sample_weights)
        if not self._enters:
            return vectors
        return self._noisy(vectors, self._has_words(input, offsets, vectors.shape[0])[:, None])

    def _has_words(self, input: Tensor, offsets: Tensor | None, bags: int) -> Tensor:
        """Which bags have a word that counts, bool [B]."""
        words = torch.ones_like(input, dtype=torch.bool) if self.padding_idx is None else input != self.padding_idx
        if offsets is None:
            return words.any(1)
        before = torch.cat([words.new_zeros(1, dtype=torch.int64), words.cumsum(0)])  # words before each place
        ends = torch.cat([offsets, offsets.new_full((1,), input.shape[0])])[1 : bags + 1]
        return before[ends] > before[offsets[:bags]]
