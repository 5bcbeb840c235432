"""What a column of cells holds: numbers, dates, categories, free texts, or words that only name a row."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

import numpy as np

from .dates import days
from .table import Cells

FEW = 20  # whole numbers with at most so many values are classes
NEARLY = 0.9  # a column with this share of numbers is meant to be one of numbers
MIXED = 0.5  # a column with this share of numbers may be
SENTENCE = 4  # words in a cell, on average, of a column of free text
_WORD = re.compile(r"[^\W\d]\w*")
NUMBERS, DATES, CATEGORIES, TEXTS, NAMES = "numbers", "dates", "categories", "texts", "names"


class Column(NamedTuple):
    """values: float64 [N] for numbers and dates (days since 1970), NaN where one misses; None for words. doubt: what
    may be meant otherwise."""

    name: str
    kind: str
    cells: Cells
    values: np.ndarray | None = None
    doubt: str = ""


def numbers(cells: Cells) -> np.ndarray | None:
    """The cells as numbers, NaN where one misses: float64 [N]; None where one is no finite number, or all miss."""
    if all(cell is None for cell in cells):
        return None
    try:
        found = np.array([math.nan if cell is None else float(cell) for cell in cells])
    except ValueError:
        return None
    return None if np.isinf(found).any() else found


def odd_cells(cells: Cells, share: float = NEARLY) -> list[int]:
    """Which cells are no numbers in a column that is meant to be one: at least 9 of 10 cells are, with more than 20
    different values. None in other columns."""
    known = [(i, _number(cell)) for i, cell in enumerate(cells) if cell is not None]
    odd = [i for i, value in known if value is None]
    values = {value for _, value in known if value is not None}
    return odd if len(known) - len(odd) >= share * len(known) and len(values) > FEW else []


def _number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return None if math.isinf(value) else value


def is_free_text(cells: Cells) -> bool:
    """Whether the cells are texts: of 4 words on average, and most of them said once."""
    known = [cell for cell in cells if cell is not None]
    return bool(known) and len(set(known)) > len(known) / 2 and sum(map(_words, known)) >= SENTENCE * len(known)


def _words(text: str) -> int:
    return len(_WORD.findall(text))


def is_names(cells: Cells) -> bool:
    """Whether nearly every row has a word of its own, as identifiers have."""
    known = [cell for cell in cells if cell is not None]
    return len(known) >= FEW and len(set(known)) >= 0.95 * len(known)


def look_at(name: str, cells: Cells, at: tuple[int, ...]) -> Column:
    """What a column holds, of which not all is missing. at: the rows' numbers."""
    found = numbers(cells)
    if found is not None:
        step = np.diff(found)
        counts = len(found) >= FEW and bool((step == 1).all())
        doubt = f"column {name!r} only counts the rows: if that says nothing about them, take it out" if counts else ""
        return Column(name, NUMBERS, cells, found, doubt)
    odd = odd_cells(cells, MIXED)
    if odd:
        said = (
            f"column {name!r}: {cells[odd[0]]!r} (row {at[odd[0]]}) is no number, so it is taken as words "
            f"({len(odd)} of {len(cells)} cells)"
        )
        return Column(name, CATEGORIES, cells, doubt=said)
    dated = days(cells)
    if dated is not None:
        said = "" if dated.sure else f"column {name!r}: dates are taken as {dated.form}, though they may be otherwise"
        return Column(name, DATES, cells, dated.values, said)
    if is_free_text(cells):
        return Column(name, TEXTS, cells)
    if is_names(cells):
        return Column(name, NAMES, cells)
    return Column(name, CATEGORIES, cells)
