"""Gaussian noise on ids, as tutorials mean it."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ...combine import Draw
from ...oracle import Signal
from ...token_ids import whole_number
from .token_noise import TokenNoise


@dataclass(frozen=True)
class JitterTokens(TokenNoise):
    """Gaussian noise on the ids themselves, rounded. Rarely what one wants: neighbouring ids are unrelated words.

    Formula: clip(x + round(s z), 0, V - 1), with z ~ N(0, 1) for each token. A token changes with probability
    2 Phi(-1 / (2 s)): 1 in 1,700,000 at s = 0.1, 32 % at s = 0.5, 80 % at s = 2. The id of "salt" plus one is whatever
    the vocabulary lists next, so this is ReplaceTokens with a replacement that depends on how the vocabulary was
    sorted. Take ReplaceTokens, or noise on the embeddings, where near means similar; take this where ids are levels of
    something, such as quantised sound or pixels.

    `(ids + sigma * torch.randn(ids.shape)).long()`, the usual line, cuts instead of rounding: whatever lies below the
    id becomes the id before it, so that about half of all tokens change, however small sigma is (until float32 cannot
    hold the sum), special tokens and padding included.

    Args:
        strength: s >= 0, in ids.
        vocabulary: V, the number of ids.

    Raises:
        ValueError: a negative, infinite or NaN strength; a vocabulary below 1.

    >>> import torch, torchnoise as tn
    >>> tn.noisy(torch.tensor([[50, 51, 52, 53]]), JitterTokens(2.0, vocabulary=100), tn.address()).tolist()
    [[50, 53, 54, 55]]

    Source: none that recommends it; the formula is the quantisation of Gaussian noise to whole numbers.
    """

    _: KW_ONLY
    vocabulary: int

    largest: ClassVar[float] = 3.4028234663852886e38
    has_hits: ClassVar[bool] = False
    unit_of_strength: ClassVar[str] = "sigma"

    def __post_init__(self) -> None:
        self._set("vocabulary", whole_number("JitterTokens: vocabulary", self.vocabulary, low=1))
        super().__post_init__()

    def draw_for(self, signal: Signal, strength: Tensor) -> Draw:
        size = float(self.vocabulary)
        move = (signal.deviates() * strength).to(torch.float64).clamp(-size, size).round()
        return Draw((signal.x + move.to(torch.int64)).clamp(0, self.vocabulary - 1))
