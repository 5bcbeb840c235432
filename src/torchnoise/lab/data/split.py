"""Which rows are trained on, validated on and tested on. Every split follows from a generator, and gives rows in random
order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

TRAIN, VALIDATION, TEST = 0, 1, 2
RAREST = 3  # a class with fewer rows cannot be in each part, and is trained on only


class Parts(NamedTuple):
    """The rows of each part: int64, in random order."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def dealt(count: int, shares: Sequence[float]) -> np.ndarray:
    """A number 0, 1, 2 ... for each of `count` places: each as often as its share says, and as evenly spread as can be.

    >>> dealt(10, (0.5, 0.2, 0.3)).tolist()
    [0, 2, 1, 0, 0, 2, 0, 1, 2, 0]
    """
    sizes = np.diff(np.round(np.cumsum([0.0, *shares]) * count).astype(int))
    wished = np.concatenate([(np.arange(size) + 0.5) / size for size in sizes if size] or [np.empty(0)])
    numbers = np.repeat(np.arange(len(sizes)), sizes)
    return numbers[np.argsort(wished, kind="stable")]


def _shuffled(strata: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """The rows, one stratum after the other, both in random order."""
    _, codes = np.unique(strata, return_inverse=True)
    place = draw.permutation(codes.max() + 1 if len(codes) else 0)
    return np.lexsort((draw.random(len(strata)), place[codes]))


def _parts(number: np.ndarray, draw: np.random.Generator) -> Parts:
    order = draw.permutation(len(number))
    return Parts(*(order[number[order] == part] for part in (TRAIN, VALIDATION, TEST)))


def at_random(strata: np.ndarray, shares: Sequence[float], draw: np.random.Generator) -> Parts:
    """Rows at random, with each stratum's share in every part. Strata of fewer than 3 rows are trained on."""
    _, codes, counts = np.unique(strata, return_inverse=True, return_counts=True)
    common = np.flatnonzero(counts[codes] >= RAREST)
    number = np.full(len(strata), TRAIN)
    number[common[_shuffled(strata[common], draw)]] = dealt(len(common), shares)
    return _parts(number, draw)


def sample(strata: np.ndarray, count: int, draw: np.random.Generator) -> np.ndarray:
    """`count` rows at random with each stratum's share, in increasing order."""
    wanted = count / len(strata)
    chosen = dealt(len(strata), (wanted, 1.0 - wanted)) == 0
    return np.sort(_shuffled(strata, draw)[chosen])


def by_group(groups: np.ndarray, shares: Sequence[float], draw: np.random.Generator) -> Parts:
    """Groups in random order, each to the part that is furthest from its share of the rows; no part stays empty.

    Raises:
        ValueError: fewer than three groups.
    """
    _, codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(sizes) < 3:
        raise ValueError(f"{len(sizes)} different values, allowed: at least 3, one for each part")
    missing = np.array(shares) * len(groups)
    number = np.empty(len(sizes), dtype=int)
    empty = {TRAIN, VALIDATION, TEST}
    for done, group in enumerate(draw.permutation(len(sizes))):
        allowed = sorted(empty) if len(sizes) - done == len(empty) else [TRAIN, VALIDATION, TEST]
        number[group] = part = max(allowed, key=lambda p: float(missing[p]))
        missing[part] -= sizes[group]
        empty.discard(part)
    return _parts(number[codes], draw)


def by_time(times: np.ndarray, shares: Sequence[float], draw: np.random.Generator) -> Parts:
    """The oldest rows for training, the newest for the test; rows of the same time stay together.

    Raises:
        ValueError: fewer than three different times.
    """
    _, codes, sizes = np.unique(times, return_inverse=True, return_counts=True)
    if len(sizes) < 3:
        raise ValueError(f"{len(sizes)} different values, allowed: at least 3, one for each part")
    ends = np.cumsum(sizes)  # rows up to each time
    first = 1 + int(np.argmin(np.abs(ends[:-2] - shares[TRAIN] * len(times))))
    wish = (shares[TRAIN] + shares[VALIDATION]) * len(times)
    second = first + 1 + int(np.argmin(np.abs(ends[first:-1] - wish)))
    return _parts(np.digitize(codes, [first, second]), draw)


def as_given(given: np.ndarray, strata: np.ndarray, shares: Sequence[float], draw: np.random.Generator) -> Parts:
    """Parts that the data come in. Without one for the test, that for validation is the test part; what is then missing
    is taken from the training part at random.

    Raises:
        ValueError: no training part.
    """
    number = given.copy()
    if not (number == TEST).any():
        number[number == VALIDATION] = TEST
    if not (number == TRAIN).any() or not (number == TEST).any():
        raise ValueError("the data come without a part to train on, or with nothing else")
    if not (number == VALIDATION).any():
        rows = np.flatnonzero(number == TRAIN)
        share = shares[VALIDATION] / (shares[TRAIN] + shares[VALIDATION])
        number[rows[at_random(strata[rows], (1.0 - share, share, 0.0), draw).validation]] = VALIDATION
    return _parts(number, draw)
