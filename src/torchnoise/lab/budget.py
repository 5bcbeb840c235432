"""A comparison that fits in a given time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from .search import runs_in
from .settings import Settings

# From the most thrifty to the most lavish: rungs, rounds, whether the winner is combined, final seeds.
LEVELS: tuple[tuple[int, tuple[int, ...], bool, int], ...] = (
    (2, (1, 1), False, 2),
    (3, (1, 1), False, 3),
    (3, (1, 1, 2), False, 4),
    (3, (2, 2), False, 5),
    (5, (2, 2, 2), False, 5),
    (5, (2, 2, 4), True, 5),
    (5, (2, 2, 4), True, 8),
    (5, (3, 3, 6), True, 12),
    (7, (3, 3, 6), True, 16),
    (7, (4, 4, 8), True, 25),
    (7, (4, 4, 8), True, 50),
)
BESIDE = 1.35  # of the time for training: measuring, timing, starting, noise's own cost


def runs_of(settings: Settings, noises: int, partners: int) -> int:
    """How many runs a comparison takes: the search's, and clean, each noise and each pair with every final seed."""
    pairs = 2 * partners + 1 if settings.combine and partners else 0
    return runs_in(noises, settings.rungs, settings.rounds) + settings.seeds * (1 + noises + pairs)


def fitted(settings: Settings, noises: int, partners: int, seconds: float, budget: float, at_a_time: int) -> Settings:
    """The most lavish comparison that fits. seconds: what one run takes;  budget: seconds for all of it.

    It is a function of the first run's time, which is kept in the folder: a comparison that goes on decides the same.

    Raises:
        ValueError: not even the most thrifty one fits, with the time that it would take.
    """

    def takes(one: Settings) -> float:
        return BESIDE * runs_of(one, noises, partners) * seconds / at_a_time

    def allowed() -> Iterator[Settings]:
        for rungs, rounds, combine, seeds in LEVELS:
            yield replace(settings, rungs=rungs, rounds=rounds, combine=combine and settings.combine, seeds=seeds)

    fitting = [one for one in allowed() if takes(one) <= budget]
    if not fitting:
        least = takes(next(allowed()))
        raise ValueError(
            f"--budget: with {noises} noises even the smallest comparison takes about {in_words(least)}, allowed: so "
            "much or more; fewer --noises, fewer --epochs or a --limit on the examples make it smaller"
        )
    return fitting[-1]


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
