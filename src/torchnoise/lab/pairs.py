"""The winner beside something else: whether two regularisers add up."""

from __future__ import annotations

from .findings import Findings
from .results import Combination
from .settings import CLEAN_PARTS
from .statistics import adjusted_differences, interaction_of


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
    found = []
    for name, pair in zip(names, pairs, strict=True):
        both, first, second = (findings.scores(parts) for parts in (pair.both, pair.first, pair.second))
        interaction, word = interaction_of(both, first, second, clean)
        found.append(
            Combination(
                first=pair.first[0][0],
                second=name,
                description=findings.entrants[name].description,
                strength=pair.second[0][1],
                alone=alone[name],
                together=together[name],
                interaction=interaction,
                adds_up=word,
            )
        )
    return found
