"""Tokens replaced by a mask."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from ...combine import Draw
from ...errors import check_number
from ...oracle import Signal
from ...streams.more import more_words
from ...token_ids import token_ids, whole_number
from .token_noise import TokenNoise, hits
from .vocabulary import Evenly


@dataclass(frozen=True)
class MaskTokens(TokenNoise):
    """Each token becomes `mask_id` with probability `strength`.

    Formula: (1 - h) x + h mask_id, with h ~ Bernoulli(p) for each token. Of the tokens hit, a share `keep` stays as it
    is and a share `random` becomes an even draw from [0, V) instead; BERT's 80, 10 and 10 per cent are
    `MaskTokens(0.15, mask_id, keep=0.1, random=0.1, vocabulary=V)`. What is hit at p is hit at any larger p.

    This is noise on what the model reads, and makes no labels: for pretraining by masked words use a data collator. A
    masked token is still attended to, as one that says "something was here"; a token that DropTokens hides is not.

    Args:
        strength: the probability p, from 0 to 1.
        mask_id: the id that takes a token's place, such as tokenizer.mask_token_id.
        keep, random: shares of what is hit, together at most 1.
        vocabulary, never: for `random`: V, and ids that are not drawn.

    Raises:
        ValueError: a probability or share outside [0, 1]; random without vocabulary.
        TypeError: ids that are not whole numbers.

    >>> import torch, torchnoise as tn
    >>> tn.noisy(torch.tensor([[5, 6, 7, 8, 9]]), MaskTokens(0.5, mask_id=103), tn.address()).tolist()
    [[5, 103, 103, 103, 103]]

    Source: Devlin et al., "BERT", NAACL 2019, section 3.1; Xie et al., ICLR 2017, section 3 (blank noising).
    """

    mask_id: int
    _: KW_ONLY
    keep: float = 0.0
    random: float = 0.0
    vocabulary: int | None = None
    never: tuple[int, ...] = ()

    if TYPE_CHECKING:
        _ids: ClassVar[Evenly | None]

    def __post_init__(self) -> None:
        self._set("mask_id", whole_number("MaskTokens: mask_id", self.mask_id))
        self._set("never", token_ids("MaskTokens: never", self.never))
        for name in ("keep", "random"):
            self._set(name, check_number(f"MaskTokens: {name}", getattr(self, name), 0.0, 1.0))
        if self.keep + self.random > 1.0 + 1e-9:
            raise ValueError(f"MaskTokens: keep is {self.keep:g} beside random={self.random:g}, allowed: 1 together")
        if self.random and self.vocabulary is None:
            raise ValueError("MaskTokens: vocabulary is missing, allowed: the number of ids that random draws from")
        if self.vocabulary is not None:
            self._set("vocabulary", whole_number("MaskTokens: vocabulary", self.vocabulary, low=1))
        self._set("_ids", None if self.vocabulary is None else Evenly(self.vocabulary, self.never, "MaskTokens"))
        super().__post_init__()

    def draw_for(self, signal: Signal, strength: Tensor) -> Draw:
        words = signal.words
        hit = signal.lay_out(hits(words, strength))
        values = torch.full((), self.mask_id, dtype=torch.int64, device=words.device)
        if not (self.keep or self.random):
            return Draw(values, hit)
        shares = more_words(words)
        if self._ids is not None:
            chosen = signal.lay_out(shares < int((self.keep + self.random) * 2**32))
            values = torch.where(chosen, signal.lay_out(self._ids.draw(more_words(shares))), values)
        kept = signal.lay_out(shares < int(self.keep * 2**32))
        return Draw(torch.where(kept, signal.x.to(torch.int64), values), hit)
