"""Worlds in which the truth is known: test scores drawn with the chance that training runs and test sets have.

A score hangs on the example (some are hard), on which examples are hard for this arm, on the seed, on the arm's own
luck with that seed, and on what is left. Clean training is an arm like any other: without an effect all arms are
exchangeable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri


@dataclass(frozen=True)
class Part:
    """A drawn validation or test part, for every arm: common [examples], own [arms, examples], weight [examples]."""

    common: np.ndarray
    own: np.ndarray
    weight: np.ndarray

    def arms(self, some: Sequence[int]) -> Part:
        return Part(self.common, self.own[list(some)], self.weight)


@dataclass(frozen=True)
class World:
    """mean: the metric of clean training, as a share;  the others are standard deviations of a latent quality that has
    variance 1 for each score:

    own: of an example for an arm;  seed, luck: of a seed, and of an arm with a seed, the same for all examples;
    shared, rest: of an example with a seed, in all arms alike, and in each arm.
    """

    name: str
    mean: float
    own: float
    seed: float
    luck: float
    shared: float
    rest: float

    def part(self, draw: np.random.Generator, arms: int, examples: int) -> Part:
        left = 1.0 - self.own**2 - self.shared**2 - self.rest**2 - self._between_seeds()
        common = np.sqrt(left) * normal(draw, examples)
        return Part(common, self.own * normal(draw, arms, examples), self.weights(draw, examples))

    def luck_of(self, draw: np.random.Generator, arms: int, seeds: int) -> np.ndarray:
        """What training gave each model: [arms, seeds]."""
        return self.seed * normal(draw, seeds) + self.luck * normal(draw, arms, seeds)

    def scores(self, draw: np.random.Generator, part: Part, luck: np.ndarray, effects: np.ndarray) -> np.ndarray:
        """Scores [arms, seeds, examples]. effects: each arm's true effect in points."""
        if (self.mean + effects / 100.0 >= 1.0).any():
            raise ValueError(f"{self.name}: an effect of {effects.max():.2f} points is more than there is to gain")
        seeds, examples = luck.shape[1], part.common.shape[0]
        quality = self.rest * normal(draw, len(luck), seeds, examples)
        quality += self.shared * normal(draw, seeds, examples)
        quality += (part.common + part.own)[:, None, :]
        return self.scored(quality, part, luck, self.mean + effects / 100.0)

    def weights(self, draw: np.random.Generator, examples: int) -> np.ndarray:
        return np.ones(examples, dtype=np.float32)

    def _between_seeds(self) -> float:
        raise NotImplementedError

    def scored(self, quality: np.ndarray, part: Part, luck: np.ndarray, means: np.ndarray) -> np.ndarray:
        raise NotImplementedError


class Accuracy(World):
    """1 where the quality is above 0, which it is with the stated probability, else 0."""

    def _between_seeds(self) -> float:
        return self.seed**2 + self.luck**2

    def scored(self, quality: np.ndarray, part: Part, luck: np.ndarray, means: np.ndarray) -> np.ndarray:
        quality += luck[:, :, None]
        quality += ndtri(means)[:, None, None].astype(np.float32)
        return quality > 0


class Explained(World):
    """1 - squared error / variance, with heavy tails: errors have Student's t distribution with 5 degrees of freedom
    between examples, and luck multiplies squared errors."""

    DEGREES = 5

    def weights(self, draw: np.random.Generator, examples: int) -> np.ndarray:
        return (self.DEGREES - 2) / draw.chisquare(self.DEGREES, examples)

    def _between_seeds(self) -> float:
        return 0.0

    def scored(self, quality: np.ndarray, part: Part, luck: np.ndarray, means: np.ndarray) -> np.ndarray:
        factor = np.exp(luck - (self.seed**2 + self.luck**2) / 2)
        errors = (1.0 - means)[:, None] * factor
        return 1.0 - errors[:, :, None] * (part.weight * quality**2)


def normal(draw: np.random.Generator, *shape: int) -> np.ndarray:
    return draw.standard_normal(shape, dtype=np.float32)


DIGITS = Accuracy("like digits", 0.955, own=0.09, seed=0.02, luck=0.02, shared=0.12, rest=0.13)
WORLDS = {
    "accuracy": DIGITS,
    "R2": Explained("R2, heavy tails", 0.75, own=0.08, seed=0.01, luck=0.012, shared=0.10, rest=0.12),
    "examples": Accuracy("examples differ much", 0.90, own=0.20, seed=0.02, luck=0.01, shared=0.05, rest=0.05),
    "seeds": Accuracy("seeds differ much", 0.90, own=0.05, seed=0.02, luck=0.06, shared=0.12, rest=0.13),
    "few": Accuracy("few errors", 0.985, own=0.09, seed=0.02, luck=0.02, shared=0.12, rest=0.13),
}
