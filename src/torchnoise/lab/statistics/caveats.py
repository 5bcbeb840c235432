"""What to bear in mind with a verdict, sentence by sentence."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from ..results import Clean, DataFacts, Difference, Noise
from .power import more_seeds
from .squares import Spread, quantile
from .words import CONFIDENCE, HELPS, HURTS, UNSEEN

FEW_SEEDS = 4
LITTLE_LEFT = 5  # errors of clean training
MANY_SEEDS, MOSTLY = 50, 0.9


def caveats(winner: Noise | None, noises: Sequence[Noise], clean: Clean, facts: DataFacts, seeds: int) -> list[str]:
    """What applies, the weightiest first."""
    found: list[str] = [*_learned(clean, facts)]
    if winner is not None and winner.difference is not None:
        if winner.difference.verdict == UNSEEN:
            found += _unseen(winner.difference, facts, seeds)
        found += _edge(winner)
    found += _others(winner, noises)
    found += _diverged(noises)
    if seeds < FEW_SEEDS:
        found.append(
            f"{seeds} seeds say little about how much seeds differ, and so the intervals are wide; 5 are usual."
        )
    return [*found, *_split(facts)]


def _learned(clean: Clean, facts: DataFacts) -> Iterator[str]:
    """Where clean training learned nothing, or nearly all."""
    score, count = clean.arm.test_mean, facts.sizes["test"]
    if facts.majority is None:
        if score <= 0.0:
            yield (
                f"Clean training learned nothing: its R2 of {score:.3f} is no better than always giving the mean. What "
                "noise does to such a model says little."
            )
        return
    chance = 2.0 * math.sqrt(facts.majority * (1.0 - facts.majority) / count)
    if score <= facts.majority + chance:
        yield (
            f"Clean training is right in {100 * score:.1f} %, hardly better than always naming the commonest class "
            f"({100 * facts.majority:.1f} %). What noise does to such a model says little."
        )
    if (1.0 - score) * count < LITTLE_LEFT:
        yield f"Clean training errs on {(1.0 - score) * count:.1f} of {count} test examples; little is left to gain."


def _unseen(found: Difference, facts: DataFacts, seeds: int) -> Iterator[str]:
    """What would have been seen, and what it would take to see more."""
    yield (
        f"That is no proof of no effect: a true difference of {found.detectable:.2f} points is what this comparison "
        "finds four times in five, and smaller ones it mostly misses."
    )
    count = facts.sizes["test"]
    wanted = more_seeds(_spread_of(found, facts, seeds), found.detectable / 2)
    half = f"half as large ({found.detectable / 2:.2f} points)"
    if wanted is None:
        yield f"More seeds alone would never find one {half}: the {count:,} test examples are the limit."
    elif wanted > MANY_SEEDS and found.seeds_share < MOSTLY:
        yield (f"One {half} would take about {wanted} seeds; more test examples than these {count:,} would help more.")
    else:
        yield f"To find one {half} would take about {wanted} seeds (--seeds {wanted})."


def _spread_of(found: Difference, facts: DataFacts, seeds: int) -> Spread:
    """The mean squares behind a difference, as if all of the seeds' part were residual: here that is the same."""
    count, alpha = facts.sizes["test"], 1.0 - CONFIDENCE
    share, half = found.seeds_share, (found.high - found.low) / 2
    mixed = math.hypot(
        math.sqrt(share) * quantile(alpha, seeds - 1), math.sqrt(1.0 - share) * quantile(alpha, count - 1)
    )
    cells = (half / mixed) ** 2 * seeds * count
    return Spread(seeds, count, share * cells, cells, share * cells)


def _edge(winner: Noise) -> Iterator[str]:
    if winner.chosen is not None and winner.chosen.at_edge == "strongest":
        yield "The strongest that was tried was chosen; a stronger one may do better still."
    if winner.chosen is not None and winner.chosen.at_edge == "weakest":
        yield "The weakest that was tried was chosen; a weaker one may do better, or none at all."


def _others(winner: Noise | None, noises: Sequence[Noise]) -> Iterator[str]:
    """What the other noises did, once corrected for looking at several."""
    others = [noise for noise in noises if noise is not winner and noise.difference is not None]
    claims = []
    for word in (HELPS, HURTS):
        names = [noise.name for noise in others if noise.difference is not None and noise.difference.verdict == word]
        if names:
            claims.append(f"{_listed(names)} {word if len(names) == 1 else word[:-1]}")
    if claims and len(others) == 1:
        yield f"The other noise: {claims[0]}."
    elif claims:
        yield f"Of the other {len(others)} noises, corrected for looking at so many: {'; '.join(claims)}."


def _diverged(noises: Sequence[Noise]) -> Iterator[str]:
    names = [noise.name for noise in noises if noise.difference is None]
    if names:
        yield f"Training diverged with {_listed(names)}, of which there is no test score."


def _listed(names: Sequence[str]) -> str:
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def _split(facts: DataFacts) -> Iterator[str]:
    """Test examples that are not chance's choice, one by one."""
    if facts.split_by.startswith("by group"):
        yield (
            "The intervals take test examples for independent. Those of one group resemble each other; with few "
            "groups the intervals are too narrow."
        )
    if facts.split_by.startswith("by time"):
        yield "The test part is one stretch of time; the intervals cannot say how much other times would differ."
