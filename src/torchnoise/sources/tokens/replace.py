"""Tokens replaced by other ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor

from ...combine import Draw
from ...streams.more import more_words
from ...token_ids import token_ids, whole_number
from .token_noise import TokenNoise, hits
from .vocabulary import ByFrequency, Evenly, Frequencies, Vocabulary


@dataclass(frozen=True)
class ReplaceTokens(TokenNoise):
    """Each token becomes a random one with probability `strength`.

    Formula: (1 - h) x + h r, with h ~ Bernoulli(p) and an id r for each token, drawn evenly from [0, V) or in
    proportion to frequencies (unigram noising), whatever x is: with V ids, a token that is hit stays itself with
    probability 1 / V. What is hit at p is hit at any larger p, with the same r. Use it at `Tokens(special=...)`, which
    says what is spared; `never` says what is not drawn.

    Args:
        strength: the probability p, from 0 to 1.
        vocabulary: V, the number of ids. Either this or frequencies.
        frequencies: how often each id occurs, such as torch.bincount(ids, minlength=V): a number from 0 for each id.
        never: ids that are not drawn: a tokenizer's all_special_ids.

    Raises:
        ValueError: a probability outside [0, 1]; no ids to draw from, or two ways to; frequencies that are negative,
        not
            finite, or all 0.
        TypeError: ids that are not whole numbers.

    >>> import torch, torchnoise as tn
    >>> ids = torch.tensor([[101, 7, 8, 9, 102]])
    >>> noise = ReplaceTokens(1.0, vocabulary=200, never=(101, 102))
    >>> tn.noisy(ids, noise, tn.address(), keep=(ids != 101) & (ids != 102)).tolist()
    [[101, 180, 60, 70, 102]]

    Source: Xie et al., "Data noising as smoothing in neural network language models", ICLR 2017, section 3.
    """

    _: KW_ONLY
    vocabulary: int | None = None
    frequencies: Frequencies | Sequence[float] | Tensor | None = None
    never: tuple[int, ...] = ()

    if TYPE_CHECKING:
        _ids: ClassVar[Vocabulary]

    def __post_init__(self) -> None:
        self._set("never", token_ids("ReplaceTokens: never", self.never))
        if (self.vocabulary is None) == (self.frequencies is None):
            said = "is missing" if self.vocabulary is None else f"is {self.vocabulary} beside frequencies"
            raise ValueError(f"ReplaceTokens: vocabulary {said}, allowed: either vocabulary or frequencies")
        if self.vocabulary is not None:
            self._set("vocabulary", whole_number("ReplaceTokens: vocabulary", self.vocabulary, low=1))
            self._set("_ids", Evenly(self.vocabulary, self.never, "ReplaceTokens"))
        else:
            self._set("_ids", self._by_frequency())
        super().__post_init__()

    def _by_frequency(self) -> Vocabulary:
        given = self.frequencies
        assert given is not None
        found = given if isinstance(given, Frequencies) else Frequencies(given, "ReplaceTokens")
        self._set("frequencies", found)
        weights = found.without(self.never)
        if not any(weights):
            raise ValueError("ReplaceTokens: never holds all ids that occur, allowed: at least one left to draw")
        return ByFrequency(weights)

    def draw(self, words: Tensor, strength: Tensor) -> Draw:
        return Draw(self._ids.draw(more_words(words)), hits(words, strength))
