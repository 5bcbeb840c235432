"""A table as it was read: named columns of cells."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np

from ...errors import nearest
from .asked import listed

MISSING = frozenset(("", "?", "na", "n/a", "nan", "+nan", "-nan", "null", "none", "nat", "<na>"))  # in small letters

LONGEST = 40  # letters of a name that errors show

Cells = list[str | None]  # without the spaces around them; None for what is missing


@dataclass(frozen=True)
class Table:
    """names: of the columns;  columns: their cells;  at: the rows' numbers, as errors say them (of a file, the first
    row below the header is 1);  given: each row's part, where the table comes in parts;  said: how it was read, where
    that needs saying;  doubts: what of it was left out."""

    name: str
    names: tuple[str, ...]
    columns: tuple[Cells, ...]
    at: tuple[int, ...]
    given: np.ndarray | None = None
    said: str = ""
    doubts: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.at)

    def column(self, name: str) -> Cells:
        """One column's cells."""
        return self.columns[self.names.index(name)]

    def take(self, rows: np.ndarray) -> Table:
        """Some rows."""
        chosen = rows.tolist()
        columns = tuple([column[i] for i in chosen] for column in self.columns)
        at = tuple(self.at[i] for i in chosen)
        return replace(self, columns=columns, at=at, given=None if self.given is None else self.given[rows])

    def knowing(self, name: str) -> Table:
        """The rows in which one column is not missing."""
        cells = self.column(name)
        found = [i for i, cell in enumerate(cells) if cell is not None]
        return self if len(found) == len(cells) else self.take(np.array(found, dtype=np.int64))

    def named(self, flag: str, wanted: str) -> str:
        """The column that a flag names, or numbers from 1.

        Raises:
            ValueError: no such column; the nearest names are offered.
        """
        if wanted in self.names:
            return wanted
        if wanted.isdecimal() and 1 <= int(wanted) <= len(self.names):
            return self.names[int(wanted) - 1]
        raise ValueError(f"--{flag} {wanted}: {self.name} has no such column; {_offered(wanted, self.names)}")


def _offered(wanted: str, names: tuple[str, ...]) -> str:
    """The nearest names; where the first line looks like data, what to say in place of a name."""
    said = nearest(wanted, [name if len(name) <= LONGEST else f"{name[:LONGEST]}..." for name in names])
    return f"{said} (or a column's number from 1, with a header or without)"


def named_columns(name: str, names: Iterable[str], columns: Iterable[Cells], **more: Any) -> Table:
    """A table whose columns have names, one each.

    Raises:
        ValueError: no names, a name twice, or no rows.
    """
    found, cells = tuple(names), tuple(columns)
    twice = sorted({n for n in found if found.count(n) > 1}) if len(set(found)) < len(found) else []
    if not found or twice:
        which = f": {listed([repr(n) for n in twice])} twice" if twice else ""
        raise ValueError(f"{name}: the first line is no header of different names{which}")
    count = len(cells[0]) if cells else 0
    if not count:
        raise ValueError(f"{name}: a header without rows below it")
    return Table(name, found, cells, tuple(range(1, count + 1)), **more)


def cell(text: str) -> str | None:
    """A cell without the spaces around it; None for what says that it is missing."""
    text = text.strip()
    return None if text.lower() in MISSING else text


def cell_of(value: Any) -> str | None:
    """A cell of any value: numbers keep every digit, dates are written as ISO 8601 has it."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, date):  # and its kind with a time of day
        return None if value != value else value.isoformat()
    if isinstance(value, (bool, int, str)):
        return cell(str(value))
    if isinstance(value, float):
        return repr(float(value))  # NumPy's say more than the number
    if isinstance(value, bytes):
        return cell(value.decode("utf-8", "replace"))
    as_python = getattr(value, "item", None)  # of NumPy, and of a tensor without axes
    return cell_of(as_python()) if callable(as_python) and getattr(value, "shape", None) == () else cell(str(value))


def table_of(name: str, columns: Mapping[str, Iterable[Any]], given: np.ndarray | None = None) -> Table:
    """A table of values by column. Columns that hold lists, arrays or the like are left out.

    Raises:
        ValueError: columns of different lengths, or none.
    """
    kept: dict[str, Cells] = {}
    left = []
    lengths = set()
    for key, values in columns.items():
        found = list(values)
        lengths.add(len(found))
        if any(isinstance(v, (list, tuple, dict, set, np.ndarray)) and getattr(v, "shape", (1,)) for v in found):
            left.append(repr(str(key)))
        else:
            kept[str(key)] = [cell_of(v) for v in found]
    if len(lengths) > 1:
        raise ValueError(f"{name}: columns of different lengths: {listed([str(n) for n in sorted(lengths)])}")
    doubts = (f"left out, as they hold more than one value a row: {listed(left)}",) if left else ()
    return named_columns(name, kept, kept.values(), given=given, doubts=doubts)
