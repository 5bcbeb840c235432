"""The winner beside something else: whether two regularisers add up."""

from __future__ import annotations

from .findings import Findings
from .results import Combination
from .settings import CLEAN_PARTS
from .statistics import adjusted_differences, interactions_of


def combinations(findings: Findings) -> list[Combination]:
    """Each pair that was trained and did not diverge. They are a family of their own, corrected for its size."""
    pairs = [
        pair
        for pair in findings.finals.pairs
        if not any(findings.diverged(parts) for parts in (pair.first, pair.second, pair.both))
    ]
    clean = findings.scores(CLEAN_PARTS)
    names = [pair.second[0][0] for pair in pairs]
    alone = adjusted_differences({n: findings.scores(p.second) for n, p in zip(names, pairs, strict=True)}, clean)
    together = adjusted_differences({n: findings.scores(p.both) for n, p in zip(names, pairs, strict=True)}, clean)
    scores = {
        name: (findings.scores(pair.both), findings.scores(pair.first), findings.scores(pair.second))
        for name, pair in zip(names, pairs, strict=True)
    }
    interactions = interactions_of(scores, clean)
    return [
        Combination(
            first=pair.first[0][0],
            second=name,
            description=findings.entrants[name].description,
            strength=pair.second[0][1],
            alone=alone[name],
            together=together[name],
            interaction=interactions[name][0],
            adds_up=interactions[name][1],
        )
        for name, pair in zip(names, pairs, strict=True)
    ]
