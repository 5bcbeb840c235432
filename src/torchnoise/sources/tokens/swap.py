"""Neighbouring tokens that change places."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...combine import Draw
from ...oracle import Signal
from ...sequence import sequence_axis
from ...streams.more import more_words
from .token_noise import TokenNoise, hits


@dataclass(frozen=True)
class SwapTokens(TokenNoise):
    """Neighbours change places: each pair with probability `strength`.

    Formula: one random bit of the example pairs its tokens up as (0, 1), (2, 3), ... or as (1, 2), (3, 4), ...; each
    pair of which noise may change both is swapped with probability p. So a token with two neighbours moves with
    probability p, by one place, and what is swapped at p is swapped at any larger p. The tokens stay the same, only
    their order changes: a special token or padding is never part of a pair.

    Labels for each token (tagging) do not move along: use MaskTokens or DropTokens there.

    Args:
        strength: the probability p, from 0 to 1.

    Raises:
        ValueError: a probability outside [0, 1].

    >>> import torch, torchnoise as tn
    >>> tn.noisy(torch.tensor([[1, 2, 3, 4, 5, 6, 7]]), SwapTokens(0.6), tn.address(seed=4)).tolist()
    [[2, 1, 3, 4, 6, 5, 7]]

    Source: Artetxe et al., "Unsupervised neural machine translation", ICLR 2018, section 3.2 (denoising by swaps of
    neighbours).
    """

    @property
    def of_one_element(self) -> bool:
        return False

    def draw_for(self, signal: Signal, strength: Tensor) -> Draw:
        x, words = signal.x, signal.words
        hit = signal.lay_out(hits(words, strength))
        axis = sequence_axis(x.dim(), signal.batch_axis)
        if axis is None:
            return Draw(x, torch.zeros_like(hit))
        length = x.shape[axis]
        place = torch.arange(length, device=x.device).view([-1 if a == axis else 1 for a in range(x.dim())])
        bit = signal.lay_out((more_words(words)[:, :1, :1] & 1).expand(words.shape))  # one for each example
        left = hit & ((place - bit) % 2 == 0) & (place < length - 1)
        if signal.keep is not None:
            keep = signal.keep.expand(x.shape)
            left = left & keep & keep.roll(-1, axis)
        right = left.roll(1, axis)
        return Draw(torch.where(left, x.roll(-1, axis), x.roll(1, axis)), left | right)
