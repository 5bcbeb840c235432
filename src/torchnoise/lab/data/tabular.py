"""Tables as examples: which column is learned, from which others, or from which texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .asked import Asked, listed
from .columns import CATEGORIES, DATES, NAMES, NUMBERS, TEXTS, Column, look_at, numbers
from .dates import days
from .doubts import leaks
from .examples import Examples, Inputs
from .features import make_features
from .parts import TABLE, TEXT
from .split import Parts
from .table import Table
from .target import target_of

_SAID = {NUMBERS: "numeric", CATEGORIES: "of words", DATES: "of dates", TEXTS: "of free text"}


def examples_of(table: Table, asked: Asked) -> Examples:
    """A table's rows that have a target, and a time where that is asked for.

    Raises:
        ValueError: no such column, a target that cannot be learned, or a time that is none.
    """
    asked.want_target()
    flags = {flag: table.named(flag, name) for flag, name in asked.columns.items()}
    if len(set(flags.values())) < len(flags):
        raise ValueError(f"{', '.join('--' + flag for flag in flags)}: allowed: different columns")
    target_name = flags["target"]
    kept, rows_said = _known(table, flags)
    target = target_of(kept, target_name)
    said = ", ".join(part for part in (table.name, table.said) if part)
    what = f"{said}: {rows_said}; {target_name} is {target.said}"
    apart = {flags.get(flag) for flag in ("target", "group", "time")}
    named = {name: cells for name, cells in zip(kept.names, kept.columns, strict=True) if name not in apart}
    names = list(named)
    columns = [look_at(name, cells, kept.at) for name, cells in named.items() if any(cells)]
    text = flags.get("text")
    if text is None and len(names) == 1 and columns and columns[0].kind == TEXTS:
        text = names[0]
    group, time = _group(kept, flags.get("group")), _time(kept, flags.get("time"))
    if text is not None:
        inputs: _TextInputs | _TableInputs = _TextInputs(kept, text, names)
        return Examples(TEXT, target, inputs, what, table.doubts, kept.given, group, time)
    inputs = _TableInputs(kept, columns, names, target_name, flags)
    doubts = (*table.doubts, *_few([c.doubt for c in columns if c.doubt]), *_few(leaks(columns, target, target_name)))
    return Examples(TABLE, target, inputs, what, doubts, kept.given, group, time)


def _known(table: Table, flags: dict[str, str]) -> tuple[Table, str]:
    """The rows that miss neither target nor time, and how many they are, in words."""
    left = []
    for flag in ("target", "time"):
        if flag not in flags:
            continue
        kept = table.knowing(flags[flag])
        if not len(kept):
            raise ValueError(f"--{flag} {flags[flag]}: every row misses it")
        if len(kept) < len(table):
            left.append(f"{len(table) - len(kept)} more without a {flag}")
        table = kept
    return table, f"{len(table)} rows" + (f" ({', '.join(left)})" if left else "")


def _few(lines: Sequence[str], most: int = 5) -> list[str]:
    more = len(lines) - most
    return [*lines[:most], *([f"and the like of {more} more columns"] if more > 0 else [])]


def _group(table: Table, name: str | None) -> np.ndarray | None:
    """Each row's group; rows without one are a group, too."""
    if name is None:
        return None
    return np.unique(np.array([cell or "" for cell in table.column(name)]), return_inverse=True)[1]


def _time(table: Table, name: str | None) -> np.ndarray | None:
    if name is None:
        return None
    cells = table.column(name)
    found = numbers(cells)
    if found is None:
        dated = days(cells)
        found = None if dated is None else dated.values
    if found is None:
        raise ValueError(
            f"--time {name}: {cells[0] if cells else ''!r} is one of its cells, allowed: dates, or numbers"
        )
    return found


class _TextInputs:
    """One column's texts, as they are."""

    def __init__(self, table: Table, column: str, names: Sequence[str]) -> None:
        self._cells, self._column = table.column(column), column
        self._left = [n for n in names if n != column]

    def __call__(self, parts: Parts) -> Inputs:
        said = f"texts of {self._column}" + (f"; left out: {listed(self._left)}" if self._left else "")
        return Inputs(tuple(tuple(self._cells[row] or "" for row in rows) for rows in parts), said=said)


class _TableInputs:
    """All other columns, made into numbers."""

    def __init__(
        self, table: Table, columns: Sequence[Column], names: Sequence[str], target: str, flags: dict[str, str]
    ) -> None:
        self._name, self._columns, self._names, self._target = table.name, columns, names, target
        self._split = [flags[flag] for flag in ("group", "time") if flag in flags]

    def __call__(self, parts: Parts) -> Inputs:
        # what the training part does not know, it cannot learn from
        known = [c for c in self._columns if any(c.cells[row] is not None for row in parts.train)]
        used = [c for c in known if c.kind != NAMES]
        identifiers = [c.name for c in known if c.kind == NAMES]
        found = {c.name for c in known}
        empty = [n for n in self._names if n not in found]
        if not used:
            why = f" ({listed(identifiers)}: as many words as rows)" if identifiers else ""
            raise ValueError(f"{self._name}: no column but {self._target!r} has values to learn from{why}")
        made = make_features(used, parts)
        doubts: tuple[str, ...] = ()
        if identifiers:
            doubts = (
                f"left out, as nearly every row has a word of its own, like a name or a number of the row: "
                f"{listed([repr(n) for n in identifiers])}",
            )
        return Inputs(tuple(made.x), made.names, self._said(used, made.names, empty, identifiers), doubts)

    def _said(self, used: Sequence[Column], names: Sequence[str], empty: list[str], identifiers: list[str]) -> str:
        counts = {kind: sum(c.kind == kind for c in used) for kind in _SAID}
        told = [f"{counts[NUMBERS]} numeric columns", f"{counts[CATEGORIES]} of words"]
        if counts[DATES]:
            told.append(f"{counts[DATES]} of dates (days, and where they lie in the year and the week)")
        if counts[TEXTS]:
            told.append(f"{counts[TEXTS]} of free text (TF-IDF of the commonest words)")
        left = [(empty, "all missing"), (identifiers, "a word for each row"), (self._split, "splits the rows")]
        outs = "".join(f"; left out: {listed(ns)} ({why})" for ns, why in left if ns)
        return f"{', '.join(told)} (-> {len(names)} inputs){outs}"
