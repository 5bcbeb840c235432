"""Paired differences of test scores, with what chance could have done to them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .squares import Spread, spread_of
from .words import CONFIDENCE

FEW = 6  # changed test examples


@dataclass(frozen=True)
class Estimate:
    """A mean difference in points, its interval and its two-sided p-value.

    by_seed: each seed's own difference;  spread: where its chance comes from.
    """

    mean: float
    by_seed: tuple[float, ...]
    spread: Spread
    confidence: float = CONFIDENCE

    @property
    def low(self) -> float:
        return self.mean - self.spread.half_width(1.0 - self.confidence)

    @property
    def high(self) -> float:
        return self.mean + self.spread.half_width(1.0 - self.confidence)

    @property
    def p(self) -> float:
        return self.spread.p_of(self.mean)

    @property
    def standard_error(self) -> float:
        return self.spread.standard_error


def paired_difference(noisy: np.ndarray, clean: np.ndarray, confidence: float = CONFIDENCE) -> Estimate:
    """100 (noisy - clean), averaged over seeds and test examples.

    The interval covers the chance of initialisation, batches and noise, and of which examples are in the test set; not
    that of the split, nor of the training examples, which are the same for all seeds.

    Args:
        noisy, clean: scores [seeds, examples], row by row of the same seed and column by column of the same example.

    Raises:
        ValueError: tables that do not fit each other, are too small, or not finite.
    """
    return contrast([(1.0, noisy), (-1.0, clean)], confidence)


def contrast(terms: list[tuple[float, np.ndarray]], confidence: float = CONFIDENCE) -> Estimate:
    """100 times a sum of factors times scores [seeds, examples], averaged over seeds and test examples."""
    tables = [np.asarray(scores, dtype=np.float64) for _, scores in terms]
    _check(tables)
    table = 100.0 * sum(factor * scores for (factor, _), scores in zip(terms, tables, strict=True))
    assert isinstance(table, np.ndarray)
    by_seed = table.mean(1)
    spread = spread_of(table, unseen_error(tables, table))
    return Estimate(float(by_seed.mean()), tuple(float(d) for d in by_seed), spread, confidence)


def unseen_error(tables: list[np.ndarray], table: np.ndarray) -> float:
    """What is added to the standard error of a difference of 0/1 scores where hardly a test example changes, in points.

    The scatter of examples of which fewer than six change sides, in any seed, cannot be seen, and an interval could be
    a point. There it is as if one more example were gained and one lost in every seed (as Bonett and Price 2012 add
    them to a table of pairs). So five that all change the same way prove nothing, as in McNemar's exact test, where
    they have p = 2 / 2^5; and where none of N changes, some 3 in N still may.
    """
    counted = all(np.isin(scores, (0.0, 1.0)).all() for scores in tables)
    changed = np.count_nonzero((table != 0.0).any(0))
    return 100.0 * math.sqrt(2.0) / (table.shape[1] + 2) if counted and changed < FEW else 0.0


def _check(tables: list[np.ndarray]) -> None:
    shapes = [scores.shape for scores in tables]
    if len(set(shapes)) != 1 or len(shapes[0]) != 2:
        raise ValueError(f"test scores of shapes {shapes}, allowed: the same [seeds, examples] for all")
    if min(shapes[0]) < 2:
        raise ValueError(
            f"test scores of {shapes[0][0]} seeds and {shapes[0][1]} examples, allowed: at least 2 of each"
        )
    if not all(np.isfinite(scores).all() for scores in tables):
        raise ValueError("test scores that are not finite, allowed: finite ones; a diverged run has none")
