"""The finalists: clean, every noise at its chosen strength, and the winner beside its partners."""

from __future__ import annotations

from dataclasses import dataclass

from .entrants import Entrants
from .search import Found
from .settings import CLEAN_PARTS, FINAL, Parts, Run


@dataclass(frozen=True)
class Pair:
    """The winner beside something else: both parts, and what the second is called."""

    first: Parts
    second: Parts

    @property
    def both(self) -> Parts:
        return self.first + self.second


@dataclass(frozen=True)
class Finals:
    """alone: each noise's parts, None where every strength diverged;  pairs: the winner's company."""

    alone: dict[str, Parts | None]
    pairs: list[Pair]

    def measured(self) -> list[Parts]:
        """The arms of which everything is measured: clean, and each noise alone."""
        return [CLEAN_PARTS, *(parts for parts in self.alone.values() if parts is not None)]

    def arms(self) -> list[Parts]:
        """Every arm once; of those that are only there for a pair, the test score alone is wanted."""
        return list(
            dict.fromkeys(self.measured() + [parts for pair in self.pairs for parts in (pair.second, pair.both)])
        )


def finals_of(found: Found, entrants: Entrants) -> Finals:
    """The finalists that the search chose."""
    alone: dict[str, Parts | None] = {
        name: None if strength is None else ((name, strength),) for name, strength in found.chosen.items()
    }
    first = alone[found.winner] if found.winner else None
    if first is None or not entrants.partners:
        return Finals(alone, [])
    seconds = {name: alone.get(name) or ((name, one.rule),) for name, one in entrants.partners.items()}
    if found.second:
        seconds[found.second] = alone[found.second] or ()
    return Finals(alone, [Pair(first, second) for name, second in seconds.items() if name != found.winner])


def runs_of(arms: list[Parts], seeds: int) -> list[Run]:
    """Each arm with every final seed, seed by seed, so that whatever is cut off is cut off for all alike."""
    return [Run(parts, FINAL, seed) for seed in range(seeds) for parts in arms]
