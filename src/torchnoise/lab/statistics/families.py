"""Verdicts on one difference, and on several at once.

The winner was chosen by other runs on other examples, so its difference is one test. All the other noises are looked at
together, and in a family of tests some look significant by chance: their p-values are corrected by Holm's method, and
their intervals are Bonferroni's, which cover all true differences at once with the stated confidence. Holm's method
finds a little more than Bonferroni's. Where it alone tells the sign of a difference, the interval ends at 0 instead of
crossing it (as Strassburger and Bretz 2008 do it in one direction), so that interval and verdict never contradict each
other. Whether they hold what they promise is simulated: docs/evidence/verdict.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..results import Difference
from .paired import Estimate, paired_difference
from .power import detectable
from .words import CONFIDENCE, HELPS, HURTS, UNSEEN


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values (Holm 1979): those below alpha hold one false claim or more with probability at most alpha.

    >>> [round(p, 12) for p in holm([0.04, 0.01, 0.03])]
    [0.06, 0.03, 0.06]
    """
    adjusted, least = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        least = max(least, min((len(p_values) - rank) * p_values[place], 1.0))
        adjusted[place] = least
    return adjusted


def verdict(mean: float, p_adjusted: float, confidence: float = CONFIDENCE) -> str:
    """What a difference allows to say."""
    if p_adjusted >= 1.0 - confidence:
        return UNSEEN
    return HELPS if mean > 0 else HURTS


def family(estimates: Mapping[str, Estimate], confidence: float = CONFIDENCE) -> dict[str, Difference]:
    """Differences that are looked at together. A family of one is one test, without a correction."""
    p_values = [estimate.p for estimate in estimates.values()]
    each = 1.0 - (1.0 - confidence) / max(len(estimates), 1)
    return {
        name: _difference(replace(estimate, confidence=each), p, adjusted, verdict(estimate.mean, adjusted, confidence))
        for (name, estimate), p, adjusted in zip(estimates.items(), p_values, holm(p_values), strict=True)
    }


def _difference(estimate: Estimate, p: float, p_adjusted: float, word: str) -> Difference:
    return Difference(
        mean=estimate.mean,
        low=max(estimate.low, 0.0) if word == HELPS else estimate.low,
        high=min(estimate.high, 0.0) if word == HURTS else estimate.high,
        p=p,
        p_adjusted=p_adjusted,
        detectable=detectable(estimate),
        seeds_share=estimate.spread.seeds_share,
        by_seed=list(estimate.by_seed),
        verdict=word,
    )


def adjusted_differences(arms: Mapping[str, np.ndarray], clean: np.ndarray) -> dict[str, Difference]:
    """Each arm against clean training, as one family. Scores are [seeds, examples]."""
    return family({name: paired_difference(scores, clean) for name, scores in arms.items()})


def differences_of(arms: Mapping[str, np.ndarray], clean: np.ndarray, winner: str | None) -> dict[str, Difference]:
    """Each arm against clean training: the winner as one test, the others as a family. In the order of `arms`."""
    first = {name: scores for name, scores in arms.items() if name == winner}
    others = {name: scores for name, scores in arms.items() if name != winner}
    found = adjusted_differences(first, clean) | adjusted_differences(others, clean)
    return {name: found[name] for name in arms}
