"""Which id takes a token's place: from one random word to an id, evenly or by frequency, in integers alone."""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Iterable, Sequence
from itertools import accumulate
from numbers import Real
from typing import Protocol

import torch
from torch import Tensor

WORDS = 1 << 32


class Vocabulary(Protocol):
    """Something that ids are drawn from."""

    def draw(self, words: Tensor) -> Tensor:
        """One id for each word: int64 to int64."""


class Constants:
    """Whole numbers as a tensor, made once for each device."""

    def __init__(self, values: Sequence[int]) -> None:
        self.values = tuple(values)
        self._there: dict[torch.device, Tensor] = {}

    def on(self, device: torch.device) -> Tensor:
        """The tensor on a device: int64 [N]."""
        if device not in self._there:
            self._there[device] = torch.tensor(self.values, dtype=torch.int64, device=device)
        return self._there[device]


class Evenly:
    """Ids from [0, size) but those in `never`, each with the same probability, but for a share of size / 2^32 of it.

    >>> list(map(int, Evenly(5, (1, 3)).draw(torch.tensor([0, 2**31, 2**32 - 1]))))
    [0, 2, 4]
    """

    def __init__(self, size: int, never: Iterable[int] = (), owner: str = "Evenly") -> None:
        gone = sorted({n for n in never if n < size})
        self.count = size - len(gone)
        if self.count == 0:
            raise ValueError(f"{owner}: never holds all {size} ids, allowed: at least one left to draw")
        # the k-th of the ids that are left is k plus the number of gone ones before it
        self._gone = Constants([n - i for i, n in enumerate(gone)])

    def draw(self, words: Tensor) -> Tensor:
        k = (words * self.count) >> 32
        if not self._gone.values:
            return k
        return k + torch.searchsorted(self._gone.on(words.device), k, right=True)


class ByFrequency:
    """Ids with probabilities in proportion to weights, to 2^-32. An id of weight 0 is never drawn.

    >>> list(map(int, ByFrequency([1.0, 0.0, 3.0]).draw(torch.tensor([0, 2**30 - 1, 2**30, 2**32 - 1]))))
    [0, 0, 2, 2]
    """

    def __init__(self, weights: Sequence[float]) -> None:
        sums = list(accumulate(weights))  # one after the other: the same bits on every machine
        self._ends = Constants([int(s / sums[-1] * WORDS) for s in sums])

    def draw(self, words: Tensor) -> Tensor:
        return torch.searchsorted(self._ends.on(words.device), words, right=True)


class Frequencies:
    """How often each id occurs: id i has weights[i]. A value that is known, and printed, by its digest.

    >>> Frequencies([5, 0, 2.5])
    Frequencies(of 3 ids, a2e8621dfd76a8d9)
    """

    def __init__(self, weights: Iterable[float], owner: str = "Frequencies") -> None:
        listed = weights.tolist() if hasattr(weights, "tolist") else weights
        if isinstance(listed, str | bytes | dict) or not isinstance(listed, Iterable):
            raise TypeError(
                f"{owner}: frequencies is {type(weights).__name__}, allowed: a number for each id, such as "
                "torch.bincount(ids, minlength=vocabulary)"
            )
        self.weights = tuple(_weight(owner, i, w) for i, w in enumerate(listed))
        if not 0.0 < sum(self.weights) < math.inf:
            said = f"add up to {sum(self.weights):g}" if self.weights else "is empty"
            raise ValueError(f"{owner}: frequencies {said}, allowed: a number from 0 for each id, with a sum above 0")
        raw = struct.pack(f"<{len(self.weights)}d", *self.weights)
        self.digest = hashlib.blake2b(raw, digest_size=8).hexdigest()

    def without(self, never: Iterable[int]) -> tuple[float, ...]:
        """The weights, 0 for some ids."""
        gone = set(never)
        return tuple(0.0 if i in gone else w for i, w in enumerate(self.weights))

    def __len__(self) -> int:
        return len(self.weights)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Frequencies) and self.weights == other.weights

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"Frequencies(of {len(self)} ids, {self.digest})"


def _weight(owner: str, i: int, weight: object) -> float:
    if isinstance(weight, bool) or not isinstance(weight, Real):
        raise TypeError(f"{owner}: frequencies[{i}] is {weight!r}, allowed: a number from 0")
    if not 0.0 <= float(weight) < math.inf:  # a NaN compares false
        raise ValueError(f"{owner}: frequencies[{i}] is {weight!r}, allowed: a finite number from 0")
    return float(weight)
