"""Corruptions of texts, before they are encoded. A text that nothing hits stays as it is, spaces included."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor

from ...data import Data, Part
from .base import Corruption

# (words, share, random numbers) -> words, changed; None where nothing was
Change = Callable[[list[str], float, np.random.Generator], list[str] | None]


def misspell(words: list[str], share: float, generator: np.random.Generator) -> list[str] | None:
    """A share of the words gets one slip: two neighbouring letters swapped, one left out, one too many, one wrong.

    A word keeps at least one letter; what is put in is a letter of the same text, so that any script will do.
    """
    hit = generator.random(len(words)) < share
    letters = "".join(words)
    slips = generator.random((len(words), 3))
    return [_slip(w, s, letters) if h else w for w, h, s in zip(words, hit, slips, strict=True)] if hit.any() else None


def _slip(word: str, drawn: np.ndarray, letters: str) -> str:
    kind, where, which = (float(u) for u in drawn)
    at, other = int(where * len(word)), letters[int(which * len(letters))]
    before, letter, after = word[:at], word[at], word[at + 1 :]
    changed = (
        before + after[:1] + letter + after[1:],  # at the last letter, nothing is behind it to swap with
        before + after or word,
        before + other + letter + after,
        before + other + after,
    )
    return changed[int(kind * 4)]


def drop(words: list[str], share: float, generator: np.random.Generator) -> list[str] | None:
    """A share of the words is left out; one always stays."""
    u = generator.random(len(words))
    u[u.argmax()] = 1.0
    return [w for w, v in zip(words, u, strict=True) if v >= share] if (u < share).any() else None


def swap(words: list[str], share: float, generator: np.random.Generator) -> list[str] | None:
    """A share of the pairs of neighbours changes places: pairs from the first or from the second word on."""
    first = int(generator.random() * 2)
    pairs = [i for i in range(first, len(words) - 1, 2) if generator.random() < share]
    changed = list(words)
    for i in pairs:
        changed[i], changed[i + 1] = words[i + 1], words[i]
    return changed if pairs else None


def change(texts: tuple[str, ...], how: Change, share: float, generator: np.random.Generator) -> tuple[str, ...]:
    """Each text with its words changed; words are what stands between spaces."""
    changed = []
    for text in texts:
        words = text.split()
        new = how(words, share, generator) if words else None
        changed.append(text if new is None else " ".join(new))
    return tuple(changed)


def _encode(part: Part, data: Data, how: Change, share: float, generator: np.random.Generator) -> Tensor:
    assert part.texts is not None
    assert data.encoder is not None, "text data are measured after a model's encoder has made their x"
    return data.encoder(change(part.texts, how, share, generator))


def _typos(part: Part, data: Data, share: float, generator: np.random.Generator) -> Tensor:
    return _encode(part, data, misspell, share, generator)


def _drops(part: Part, data: Data, share: float, generator: np.random.Generator) -> Tensor:
    return _encode(part, data, drop, share, generator)


def _swaps(part: Part, data: Data, share: float, generator: np.random.Generator) -> Tensor:
    return _encode(part, data, swap, share, generator)


TEXTS = (
    Corruption("typos", "a slip of the keyboard in 5 % to 70 % of the words", (0.05, 0.1, 0.2, 0.4, 0.7), _typos),
    Corruption("word drops", "5 % to 50 % of the words are left out", (0.05, 0.1, 0.2, 0.35, 0.5), _drops),
    Corruption(
        "word swaps", "10 % to 100 % of the pairs of neighbours change places", (0.1, 0.2, 0.4, 0.7, 1.0), _swaps
    ),
)
