"""How comparisons are often made, in a world where no noise does anything."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from comparison import VALIDATION
from scipy import stats
from worlds import World

from torchnoise.lab.statistics import HELPS, differences_of

Claim = tuple[bool, float]  # whether it says that the winner helps, and by how many points


def t_test(noisy: np.ndarray, clean: np.ndarray) -> Claim:
    """A paired t test over seeds, as if the test examples were all there are. Scores are [seeds, examples]."""
    by_seed = 100.0 * (noisy.mean(1) - clean.mean(1))
    if by_seed.std() == 0.0:
        return False, float(by_seed.mean())
    return bool(by_seed.mean() > 0 and stats.ttest_1samp(by_seed, 0.0).pvalue < 0.05), float(by_seed.mean())


def ours(noisy: np.ndarray, clean: np.ndarray) -> Claim:
    """The interval over seeds and examples."""
    found = differences_of({"": noisy}, clean, "")[""]
    return found.verdict == HELPS, found.mean


def best_on_test(
    draw: np.random.Generator, world: World, seeds: int, examples: int, arms: int, test: Callable[..., Claim]
) -> Claim:
    """The arm with the best mean test score is taken, and tested on the same scores."""
    part = world.part(draw, arms + 1, examples)
    scores = world.scores(draw, part, world.luck_of(draw, arms + 1, seeds), np.zeros(arms + 1))
    return test(scores[1 + int(scores[1:].mean((1, 2)).argmax())], scores[0])


def same_seeds(
    draw: np.random.Generator, world: World, seeds: int, examples: int, arms: int, test: Callable[..., Claim]
) -> Claim:
    """The arm with the best mean validation score is taken, and the same trained models are tested."""
    luck, none = world.luck_of(draw, arms + 1, seeds), np.zeros(arms + 1)
    validation = world.scores(draw, world.part(draw, arms + 1, VALIDATION), luck, none)
    pair = [0, 1 + int(validation[1:].mean((1, 2)).argmax())]
    noisy = world.scores(draw, world.part(draw, 2, examples), luck[pair], none[pair])
    return test(noisy[1], noisy[0])
