"""A comparison that fits in a given time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .search import runs_in
from .settings import Settings

# Searches from the most thrifty to the most lavish: rungs, rounds.
SEARCHES: tuple[tuple[int, tuple[int, ...]], ...] = (
    (2, (1, 1)),
    (3, (1, 1)),
    (3, (1, 1, 2)),
    (3, (2, 2)),
    (5, (2, 2, 2)),
    (5, (2, 2, 4)),
    (7, (3, 3, 6)),
)
SEEDS = (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 25, 30, 40, 50)
ENOUGH = 5  # seeds, below which none are spent on the winner's company
OF_SEARCH = 0.5  # the search's share of the time
OF_NOISE = 2.0  # a noisy run's time over a clean one's, before one was seen
OF_FINALS = 1.6  # a final run's time with its measures, over a search run's


def runs_of(settings: Settings, noises: int, partners: int) -> int:
    """How many runs a comparison takes: the search's, and clean, each noise and each pair with every final seed."""
    return runs_in(noises, settings.rungs, settings.rounds) + settings.seeds * _arms(settings, noises, partners)


def _arms(settings: Settings, noises: int, partners: int) -> int:
    return 1 + noises + (2 * partners + 1 if settings.combine and partners else 0)


def with_search(settings: Settings, noises: int, seconds: float, budget: float, at_a_time: int) -> Settings:
    """The most lavish search that fits. seconds: what a clean run takes;  budget: seconds for all of the comparison.

    Raises:
        ValueError: not even the most thrifty one fits, with the time that a comparison would take.
    """

    def takes(rungs: int, rounds: tuple[int, ...]) -> float:
        return OF_NOISE * runs_in(noises, rungs, rounds) * seconds / at_a_time

    fitting = [search for search in SEARCHES if takes(*search) <= OF_SEARCH * budget]
    if not fitting:
        least = takes(*SEARCHES[0]) / OF_SEARCH
        raise ValueError(
            f"--budget: with {noises} noises even the smallest comparison takes about {in_words(least)}, allowed: so "
            "much or more; fewer --noises, fewer --epochs or a --limit on the examples make it smaller"
        )
    rungs, rounds = fitting[-1]
    return replace(settings, rungs=rungs, rounds=rounds)


def with_seeds(
    settings: Settings, noises: int, partners: int, searched: Sequence[float], budget: float, at_a_time: int
) -> Settings:
    """As many final seeds as the time allows that is left, two at least. searched: the seconds of each search run.

    Both are functions of times that are kept with the runs: a comparison that goes on decides the same.
    """
    left = budget - sum(searched) / at_a_time
    each = OF_FINALS * sum(searched) / len(searched) / at_a_time

    def seeds(one: Settings) -> int:
        most = left / (each * _arms(one, noises, partners))
        return max((count for count in SEEDS if count <= most), default=SEEDS[0])

    alone = replace(settings, combine=False)
    chosen = settings if seeds(settings) >= ENOUGH else alone
    return replace(chosen, seeds=seeds(chosen))


UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def seconds_of(text: str) -> float:
    """ "90s", "10m" or "1.5h" in seconds.

    Raises:
        ValueError: another text.

    >>> seconds_of("10m")
    600.0
    """
    number, unit = text[:-1], text[-1:].lower()
    try:
        found = float(number) * UNITS[unit]
    except (ValueError, KeyError):
        found = -1.0
    if not 0 < found < float("inf"):
        raise ValueError(f"--budget {text}, allowed: a time such as 90s, 10m, 1.5h")
    return found


def in_words(seconds: float) -> str:
    """Seconds as people say them.

    >>> in_words(400)
    '7 min'
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
