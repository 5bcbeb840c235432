"""Whole comparisons: search, choice, test and verdict by the functions that `torchnoise compare` uses. Only training is
replaced by a draw from a world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from worlds import World

from torchnoise.lab.results import Difference
from torchnoise.lab.statistics import choose, differences_of, next_arms

NOISES, STRENGTHS = 7, 5
ROUNDS = (2, 2, 4)
VALIDATION = 360
PROFILE = (0.3, 0.7, 1.0, 0.7, 0.3)  # of a planted effect, along its noise's ladder
NAMES = [f"noise {number}" for number in range(1, NOISES + 1)]
ARMS = [(name, float(strength)) for name in NAMES for strength in range(1, STRENGTHS + 1)]
CLEAN = 0
PLACE = {arm: place for place, arm in enumerate(ARMS, CLEAN + 1)}


@dataclass(frozen=True)
class Outcome:
    """truths: each noise's true effect in points, at the strength that was chosen."""

    winner: str
    truths: dict[str, float]
    differences: dict[str, Difference]

    @property
    def first(self) -> Difference:
        return self.differences[self.winner]

    @property
    def error(self) -> float:
        """By how much the winner's difference is too large."""
        return self.first.mean - self.truths[self.winner]

    @property
    def others(self) -> list[str]:
        return [name for name in self.differences if name != self.winner]

    def covers(self, names: Sequence[str]) -> bool:
        """Whether the intervals of all these hold the truth."""
        return all(self.differences[n].low <= self.truths[n] <= self.differences[n].high for n in names)

    def claims_falsely(self, names: Sequence[str]) -> bool:
        """Whether a noise without an effect is said to help or hurt."""
        return any(self.truths[n] == 0.0 and self.differences[n].verdict in ("helps", "hurts") for n in names)


def effects_of(points: float) -> np.ndarray:
    """True effects of clean and all arms: an effect of so many points at the best strength of the first noise."""
    planted = {(NAMES[0], float(strength)): points * share for strength, share in enumerate(PROFILE, 1)}
    return np.array([0.0] + [planted.get(arm, 0.0) for arm in ARMS])


def compare(draw: np.random.Generator, world: World, seeds: int, examples: int, effects: np.ndarray) -> Outcome:
    """Search on seeds of its own, then train the chosen arms again on fresh seeds, and test once."""
    chosen, winner = searched(draw, world, effects)
    places = [CLEAN, *(PLACE[arm] for arm in chosen.items())]
    test = world.part(draw, len(places), examples)
    scores = world.scores(draw, test, world.luck_of(draw, len(places), seeds), effects[places])
    differences = differences_of(dict(zip(chosen, scores[1:], strict=True)), scores[CLEAN], winner)
    return Outcome(winner, {arm[0]: float(effects[PLACE[arm]]) for arm in chosen.items()}, differences)


def searched(draw: np.random.Generator, world: World, effects: np.ndarray) -> tuple[dict[str, float], str]:
    """Successive halving on validation scores: each noise's strength, and the winner."""
    part = world.part(draw, len(ARMS) + 1, VALIDATION)
    found: dict[tuple[str, float], list[float]] = {}
    arms: Sequence[tuple[str, float]] = ARMS
    for number, seeds in enumerate(ROUNDS):
        arms = next_arms(found, number) if number else ARMS
        places = [CLEAN, *(PLACE[arm] for arm in arms)]
        luck = world.luck_of(draw, len(places), seeds)
        means = world.scores(draw, part.arms(places), luck, effects[places]).mean(2)
        for arm, some in zip(arms, means[1:] - means[CLEAN], strict=True):
            found.setdefault(arm, []).extend(float(d) for d in some)
    chosen, order = choose(found)
    return {name: strength for name, strength in chosen.items() if strength is not None}, order[0]
