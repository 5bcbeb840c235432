"""A small table that prints in aligned columns."""

from __future__ import annotations

from typing import NamedTuple


class Table(NamedTuple):
    """Column names and rows of text."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __str__(self) -> str:
        widths = [max(len(r[i]) for r in (self.columns, *self.rows)) for i in range(len(self.columns))]
        lines = ("  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)) for r in (self.columns, *self.rows))
        return "\n".join(line.rstrip() for line in lines)
