"""Tokens hidden from the model."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

import torch
from torch import Tensor

from ...combine import Draw
from ...token_ids import whole_number
from .token_noise import TokenNoise, hits


@dataclass(frozen=True)
class DropTokens(TokenNoise):
    """Each token is hidden with probability `strength` (word dropout): it becomes `pad_id`, and nobody attends to it.

    Formula: (1 - h) x + h pad_id, and the attention mask times 1 - h, with h ~ Bernoulli(p) for each token. What is
    hit at p is hit at any larger p. At `Tokens()`, which changes the mask, too: a copy of the one that the model is
    given, or one of ones where it was given none and takes one. A model without a mask sees pad_id alone, as it sees
    padding. A sequence that would have nothing left keeps its first token that noise may hide.

    The other tokens stay where they are, with their positions, so that labels for each token still fit. This is not
    deletion, after which the rest moves up: a gap remains that the model could learn to notice by its position. Models
    that count positions by ids that are no padding (RoBERTa) do move up; give these another pad_id, such as the mask's.

    Args:
        strength: the probability p, from 0 to 1.
        pad_id: the id that takes a token's place, such as tokenizer.pad_token_id.

    Raises:
        ValueError: a probability outside [0, 1]; a negative id.
        TypeError: an id that is no whole number.

    >>> import torch, torchnoise as tn
    >>> class Model(torch.nn.Module):
    ...     def forward(self, input_ids, attention_mask=None):
    ...         return input_ids, attention_mask
    >>> with tn.attach(Model(), tn.Injection(DropTokens(0.4), at=tn.Tokens()), seed=4) as noise:
    ...     print(*noise.model(torch.tensor([[5, 6, 7, 8, 9]])))
    tensor([[5, 6, 0, 8, 9]]) tensor([[1, 1, 0, 1, 1]])

    Source: Iyyer et al., "Deep unordered composition rivals syntactic methods for text classification", ACL 2015,
    section 3.1 (word dropout).
    """

    _: KW_ONLY
    pad_id: int = 0

    def __post_init__(self) -> None:
        self._set("pad_id", whole_number("DropTokens: pad_id", self.pad_id))
        super().__post_init__()

    @property
    def hides(self) -> int:
        return self.pad_id

    def draw(self, words: Tensor, strength: Tensor) -> Draw:
        return Draw(torch.full((), self.pad_id, dtype=torch.int64, device=words.device), hits(words, strength))
