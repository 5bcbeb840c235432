"""What is simulated. Each part returns rows of plain numbers; shares are [count, of]."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from comparison import Outcome, compare, effects_of
from kit.study import Where
from naive import Claim, best_on_test, ours, same_seeds, t_test
from scipy.special import stdtrit
from worlds import DIGITS, WORLDS, World

from torchnoise.lab.statistics import HELPS, HURTS, Spread, detectable, paired_difference
from torchnoise.lab.statistics.squares import quantile

Row = dict[str, Any]
NULL = [
    ("accuracy", 2, 719), ("accuracy", 5, 100), ("accuracy", 5, 719), ("accuracy", 5, 5000), ("accuracy", 10, 719),
    ("seeds", 5, 719), ("examples", 5, 719), ("R2", 2, 719), ("R2", 5, 100), ("R2", 5, 719), ("R2", 10, 5000),
]  # fmt: skip
PLANTED = [(points, *size) for size in ((5, 719), (10, 719), (5, 5000)) for points in (0.5, 1.0, 2.0)]
PAIRS = [(name, *size) for name in WORLDS for size in ((2, 719), (5, 100), (5, 719), (10, 719), (10, 5000))]
EFFECTS = [
    (name, *size, points)
    for name in ("accuracy", "few", "R2")
    for size in ((5, 100), (5, 719), (10, 719))
    for points in (0.5, 1.0)
]
DETECTABLE = [
    ("accuracy", 3, 719), ("accuracy", 5, 719), ("accuracy", 10, 719), ("accuracy", 5, 5000), ("seeds", 5, 719),
    ("examples", 5, 719), ("R2", 2, 719), ("R2", 5, 719),
]  # fmt: skip


def generator(*numbers: int) -> np.random.Generator:
    return np.random.default_rng([20250, *numbers])


def share(found: list[bool]) -> list[int]:
    return [int(sum(found)), len(found)]


def mean(found: list[float]) -> list[float]:
    """With its standard error."""
    return [float(np.mean(found)), float(np.std(found, ddof=1) / len(found) ** 0.5)]


def null(where: Where) -> list[Row]:
    """No noise does anything: what is claimed all the same."""
    rows = []
    for number, (name, seeds, examples) in enumerate(NULL):
        draw, count = generator(1, number), 4 if where.quick else 2000
        found = [compare(draw, WORLDS[name], seeds, examples, effects_of(0.0)) for _ in range(count)]
        rows.append({"world": name, "seeds": seeds, "examples": examples, **_null_row(found)})
    return rows


def _null_row(found: list[Outcome]) -> Row:
    return {
        "helps": share([one.first.verdict == HELPS for one in found]),
        "hurts": share([one.first.verdict == HURTS for one in found]),
        "others": share([one.claims_falsely(one.others) for one in found]),
        "bias": mean([one.error for one in found]),
    }


def naive(where: Where) -> list[Row]:
    """The same world, 5 seeds, 719 test examples, compared as it is often done."""
    seeds, examples, count = 5, 719, 4 if where.quick else 2000
    ways: dict[str, Callable[[np.random.Generator], Claim]] = {
        "one noise alone, t test over seeds": lambda d: best_on_test(d, DIGITS, seeds, examples, 1, t_test),
        "ten noises, best test score, t test over seeds": lambda d: best_on_test(
            d, DIGITS, seeds, examples, 10, t_test
        ),
        "35 arms, best test score, t test over seeds": lambda d: best_on_test(d, DIGITS, seeds, examples, 35, t_test),
        "ten noises, best test score, our interval": lambda d: best_on_test(d, DIGITS, seeds, examples, 10, ours),
        "35 arms, best validation score, same seeds, t test": lambda d: same_seeds(
            d, DIGITS, seeds, examples, 35, t_test
        ),
        "35 arms, best validation score, same seeds, our interval": lambda d: same_seeds(
            d, DIGITS, seeds, examples, 35, ours
        ),
        "the same, where seeds differ much": lambda d: same_seeds(d, WORLDS["seeds"], seeds, examples, 35, ours),
    }
    rows = []
    for number, (name, way) in enumerate(ways.items()):
        draw = generator(2, number)
        claims = [way(draw) for _ in range(count)]
        rows.append({"way": name, "helps": share([c[0] for c in claims]), "bias": mean([c[1] for c in claims])})
    return rows


def planted(where: Where) -> list[Row]:
    """One noise has an effect: whether it is found."""
    rows = []
    for number, (points, seeds, examples) in enumerate(PLANTED):
        draw, count = generator(3, number), 3 if where.quick else 1000
        found = [compare(draw, DIGITS, seeds, examples, effects_of(points)) for _ in range(count)]
        right = [one.truths[one.winner] > 0.0 for one in found]
        rows.append(
            {
                "points": points,
                "seeds": seeds,
                "examples": examples,
                "right": share(right),
                "found": share([r and one.first.verdict == HELPS for r, one in zip(right, found, strict=True)]),
                "covered": share([one.covers([one.winner]) for one in found]),
                "others_covered": share([one.covers(one.others) for one in found]),
                "others_false": share([one.claims_falsely(one.others) for one in found]),
                "bias": mean([one.error for one in found]),
            }
        )
    return rows


def pair(draw: np.random.Generator, world: World, seeds: int, examples: int, points: float) -> np.ndarray:
    """Scores [clean or noisy, seeds, examples] of two arms."""
    effects = np.array([0.0, points])
    return world.scores(draw, world.part(draw, 2, examples), world.luck_of(draw, 2, seeds), effects)


def intervals(where: Where) -> list[Row]:
    """Two arms without a difference: how often the interval leaves out 0, and how wide it is, beside two others."""
    rows = []
    for number, (name, seeds, examples) in enumerate(PAIRS):
        draw, count = generator(4, number), 4 if where.quick else 3000
        tried = []
        for _ in range(count):
            clean, noisy = pair(draw, WORLDS[name], seeds, examples, 0.0)
            estimate = paired_difference(noisy, clean)
            tried.append([estimate.mean, estimate.high - estimate.mean, *_others(estimate.spread)])
        centre, *halves = np.array(tried).T
        row: Row = {"world": name, "seeds": seeds, "examples": examples}
        for which, half in zip(("ours", "t", "satterthwaite"), halves, strict=True):
            row[which] = [*share(list(np.abs(centre) > half + 1e-9)), float(np.median(half))]
        rows.append(row)
    return rows


def _others(spread: Spread) -> Iterator[float]:
    """Half widths: Student's t over seeds alone, and Satterthwaite's approximation for seeds and examples."""
    cells = spread.seeds * spread.examples
    yield quantile(0.05, spread.seeds - 1) * (spread.by_seeds / cells) ** 0.5
    of_examples = max(spread.by_examples - spread.residual, 0.0)
    whole = spread.by_seeds + of_examples
    free = spread.by_seeds**2 / (spread.seeds - 1)
    if of_examples:
        free += (spread.by_examples**2 + spread.residual**2 / (spread.seeds - 1)) / (spread.examples - 1)
    yield -float(stdtrit(whole**2 / free, 0.025)) * (whole / cells) ** 0.5 if whole else 0.0


def effects(where: Where) -> list[Row]:
    """Two arms with a difference: how often the interval leaves it out."""
    rows = []
    for number, (name, seeds, examples, points) in enumerate(EFFECTS):
        draw, count = generator(6, number), 4 if where.quick else 2000
        found = [_paired(draw, WORLDS[name], seeds, examples, points) for _ in range(count)]
        below, above = share([one.high < points for one in found]), share([one.low > points for one in found])
        row = {"world": name, "seeds": seeds, "examples": examples, "points": points}
        rows.append({**row, "below": below, "above": above})
    return rows


def detected(where: Where) -> list[Row]:
    """A true difference as large as what comparisons of this size call detectable: how often it is found."""
    rows = []
    for number, (name, seeds, examples) in enumerate(DETECTABLE):
        draw, count = generator(5, number), 12 if where.quick else 2000
        said = [_paired(draw, WORLDS[name], seeds, examples, 0.0) for _ in range(count // 4)]
        points = float(np.mean([detectable(one) for one in said]))
        found = [_paired(draw, WORLDS[name], seeds, examples, points) for _ in range(count)]
        rows.append(
            {
                "world": name,
                "seeds": seeds,
                "examples": examples,
                "points": points,
                "found": share([one.low > 0.0 for one in found]),
            }
        )
    return rows


def _paired(draw: np.random.Generator, world: World, seeds: int, examples: int, points: float) -> Any:
    clean, noisy = pair(draw, world, seeds, examples, points)
    return paired_difference(noisy, clean)
