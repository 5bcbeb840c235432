"""Texts as numbers, as far as training texts say which words there are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

PADDING, UNKNOWN = 0, 1  # ids that are no words
LONGEST = 128  # words of a text that are looked at, at most
_WORD = r"\w+"
_TOKEN = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True)
class TfidfEncoder:
    """How often each of some words is in a text: float32 [N, words], 1 + log(count) times the word's weight
    log((1 + texts) / (1 + texts with it)) + 1. Each text is scaled to an rms of 1, as standardised inputs have; one
    without any of the words is 0."""

    words: tuple[str, ...]
    weights: tuple[float, ...]

    @classmethod
    def learned(cls, texts: Sequence[str], most: int = 2000) -> TfidfEncoder:
        """From training texts: the `most` commonest words.

        Raises:
            ValueError: no text has a word.
        """
        from sklearn.feature_extraction.text import TfidfVectorizer

        learned = TfidfVectorizer(max_features=most, token_pattern=_WORD, sublinear_tf=True)
        try:
            learned.fit(texts)
        except ValueError:
            raise ValueError("no text has a word") from None
        return cls(tuple(map(str, learned.get_feature_names_out())), tuple(map(float, learned.idf_)))

    def __call__(self, texts: Sequence[str]) -> Tensor:
        from sklearn.feature_extraction.text import CountVectorizer
        from sklearn.preprocessing import normalize

        found = CountVectorizer(vocabulary=self.words, token_pattern=_WORD, dtype=np.float64).transform(texts).tocsr()
        found.data = 1.0 + np.log(found.data)
        weighted = normalize(found.multiply(np.array(self.weights)).tocsr()) * np.sqrt(len(self.words))
        return torch.from_numpy(weighted.toarray().astype(np.float32))


def split_words(text: str) -> list[str]:
    """A text's words in small letters; each mark is one of its own.

    >>> split_words("Don't stop, it's 5!")
    ['don', "'", 't', 'stop', ',', 'it', "'", 's', '5', '!']
    """
    return _TOKEN.findall(text.lower())


@dataclass(frozen=True)
class WordEncoder:
    """Each word's number: int64 [N, length], 0 where a text has ended, 1 for a word that training did not have.

    words: those with the numbers 2, 3 ...;  length: words of a text that are kept.
    """

    words: tuple[str, ...]
    length: int

    @classmethod
    def learned(cls, texts: Sequence[str], most: int = 10_000, percentile: float = 95.0) -> WordEncoder:
        """From training texts: the `most` commonest words of those that come twice, and the length that `percentile` of
        the texts keep within, 128 at most."""
        found = [split_words(text) for text in texts]
        counts = Counter(word for text in found for word in text)
        common = sorted((w for w, n in counts.items() if n > 1), key=lambda w: (-counts[w], w))
        length = int(np.percentile([len(text) for text in found], percentile, method="higher")) if found else 1
        return cls(tuple(common[:most]), min(max(length, 1), LONGEST))

    @property
    def size(self) -> int:
        """How many different numbers there are."""
        return len(self.words) + 2

    def __call__(self, texts: Sequence[str]) -> Tensor:
        number = {word: i for i, word in enumerate(self.words, start=UNKNOWN + 1)}
        ids = torch.full((len(texts), self.length), PADDING)
        for row, text in enumerate(texts):
            # an empty text is one unknown word: a model that averages over words needs one
            found = [number.get(word, UNKNOWN) for word in split_words(text)[: self.length]] or [UNKNOWN]
            ids[row, : len(found)] = torch.tensor(found)
        return ids
