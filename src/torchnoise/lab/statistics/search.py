"""The rules of the search: which arms go on, which strength a noise gets, which noise wins.

An arm is a noise at a strength. Its scores are validation scores minus those of clean training with the same seeds, so
that what belongs to a seed drops out; None stands for an arm of which a run diverged, which never goes on.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

Arm = tuple[str, float]
Scores = Mapping[Arm, Sequence[float] | None]
Key = TypeVar("Key", bound=Hashable)


def better_half(means: Mapping[Key, float | None]) -> list[Key]:
    """The better half, rounded up, of all that are given, best first; of equals, what is given first.

    None, for diverged, is worse than any number and never among them.

    >>> better_half({0.1: 0.7, 0.2: 0.8, 0.4: 0.8, 0.8: None, 1.6: 0.6})
    [0.2, 0.4, 0.1]
    """
    finite = {key: _rounded(mean) for key, mean in means.items() if mean is not None}
    return sorted(finite, key=lambda key: -finite[key])[: (len(means) + 1) // 2]


def next_arms(scores: Scores, number: int) -> list[Arm]:
    """The arms that go on after round `number`, the first being 1, by noise and rising strength.

    After the first round each noise keeps the better half of its strengths. After any later one, the better half of
    all noises goes on, each at its best strength.
    """
    noises = _by_noise(scores)
    if number == 1:
        halves = {
            name: better_half({x: _mean(scores[name, x]) for x in strengths}) for name, strengths in noises.items()
        }
        return [(name, x) for name, half in halves.items() for x in sorted(half)]
    best = {name: best_strength(scores, name, strengths) for name, strengths in noises.items()}
    counts = {name: 0 if x is None else len(scores[name, x] or ()) for name, x in best.items()}
    most = max(counts.values(), default=0)
    kept = better_half(
        {n: _mean(scores[n, x]) if x is not None and counts[n] == most else None for n, x in best.items()}
    )
    return [(name, x) for name, x in best.items() if name in kept and x is not None]


def choose(scores: Scores) -> tuple[dict[str, float | None], list[str]]:
    """Each noise's strength, None where every strength diverged; and the noises in order, the winner first.

    A noise that got further in the search comes before one that was dropped earlier, whatever their means: the one was
    better when both had been looked at as long. Among equals in this, the higher mean comes first.
    """
    chosen = {name: best_strength(scores, name, strengths) for name, strengths in _by_noise(scores).items()}
    arms = {name: scores[name, x] or () for name, x in chosen.items() if x is not None}
    order = sorted(arms, key=lambda name: (-len(arms[name]), -_rounded(math.fsum(arms[name]) / len(arms[name]))))
    return chosen, order


def best_strength(scores: Scores, name: str, strengths: Sequence[float]) -> float | None:
    """A noise's strength with the highest mean, among those that got furthest; of equals, the first."""
    finite = {x: some for x in strengths if (some := scores[name, x])}
    most = max((len(some) for some in finite.values()), default=0)
    means = {x: _mean(some) for x, some in finite.items() if len(some) == most}
    return better_half(means)[0] if means else None


def _by_noise(scores: Scores) -> dict[str, list[float]]:
    """Each noise's strengths, rising; noises in the order in which they are given."""
    found: dict[str, list[float]] = {}
    for name, strength in scores:
        found.setdefault(name, []).append(strength)
    return {name: sorted(strengths) for name, strengths in found.items()}


def _mean(values: Sequence[float] | None) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _rounded(mean: float) -> float:
    """Without the last bits, in which equal means of different values may differ."""
    return round(mean, 12)
