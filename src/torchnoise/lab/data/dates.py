"""Columns of dates, as numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

# the forms that people write, beside ISO 8601; where two fit every cell, the first is taken, and a doubt is told
_DAYS = {
    "year/month/day": "%Y/%m/%d",
    "day/month/year": "%d/%m/%Y",
    "month/day/year": "%m/%d/%Y",
    "day.month.year": "%d.%m.%Y",
    "day-month-year": "%d-%m-%Y",
    "month-day-year": "%m-%d-%Y",
    "day month year": "%d %b %Y",
    "day month year, in full": "%d %B %Y",
    "month day, year": "%b %d, %Y",
    "month day, year, in full": "%B %d, %Y",
}
_TIMES = ("", " %H:%M", " %H:%M:%S")
_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)
_YEAR = re.compile(r"(?<!\d)\d{4}(?!\d)")
_SWAPPED = {"day/month/year", "month/day/year", "day-month-year", "month-day-year"}


class Dates(NamedTuple):
    """values: days since 1970 in UTC, NaN where one misses;  form: as it was read;  sure: whether no other fits."""

    values: np.ndarray
    form: str
    sure: bool


def days(cells: list[str | None]) -> Dates | None:
    """A column of dates; None where a cell is none, or all miss."""
    words = sorted({cell for cell in cells if cell is not None})
    # a year has four digits, and what is no date is told by its first few cells
    if not words or not all(_YEAR.search(word) and len(word) <= 40 for word in words[:5]):
        return None
    fitting = {form: found for form, read in _forms() if (found := _read(words, read))}
    if not fitting:
        return None
    form = next(iter(fitting))
    # 03/04/2024 may be in March or in April
    other = [name for name in fitting if name in _SWAPPED and fitting[name] != fitting[form]]
    values = np.array([math.nan if cell is None else fitting[form][cell] for cell in cells])
    return Dates(values, form, not other)


def _forms() -> list[tuple[str, Callable[[str], datetime]]]:
    def reader(form: str) -> Callable[[str], datetime]:
        return lambda text: datetime.strptime(text, form)

    plain = [(name, reader(form + time)) for name, form in _DAYS.items() for time in _TIMES]
    return [("ISO 8601", _iso), *plain]


def _iso(text: str) -> datetime:
    if "-" not in text:  # 20240131 is rather a number
        raise ValueError
    return datetime.fromisoformat(text)


def _read(words: list[str], read: Callable[[str], datetime]) -> dict[str, float] | None:
    """Each word's days, by one form; None where it does not fit."""
    found = {}
    for word in words:
        try:
            when = read(word)
        except ValueError:
            return None
        when = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
        found[word] = (when - _BEGIN).total_seconds() / 86400.0
    return found


def cyclic(name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    """Where dates lie in the year, in the week and, if they have a time, in the day: each a sine and a cosine.

    values: days since 1970, which was a Thursday.
    """
    whole = np.floor(values)
    cycles = {"year": (values, 365.2425), "week": (whole - 4, 7.0)}  # a week begins on Monday
    if np.nanmax(values - whole) > 0:
        cycles["day"] = (values, 1.0)
    angles = {cycle: 2.0 * np.pi * (when / length) for cycle, (when, length) in cycles.items()}
    made = {}
    for cycle, angle in angles.items():
        made[f"{name} (in the {cycle}, sine)"] = np.sin(angle)
        made[f"{name} (in the {cycle}, cosine)"] = np.cos(angle)
    return made
