"""What was asked of `load`: the data's name and the flags beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

LEAST = 10  # examples, to be split into three parts
_ROW = "a table (.csv, .tsv, .parquet), data of the hub or of your own function as a table"
_MEANT = {
    "target": "names the column that is to be learned, or numbers it from 1",
    "text": "names the column of texts that is learned from",
    "group": "names the column whose rows stay together",
    "time": "names the column by which rows are ordered",
}


@dataclass(frozen=True)
class Asked:
    """The arguments of `load`. shares: of training, validation and test, which sum to 1."""

    data: str
    target: str | None = None
    text: str | None = None
    group: str | None = None
    time: str | None = None
    limit: int | None = None
    seed: int = 0
    shares: tuple[float, float, float] = (0.5, 0.2, 0.3)

    def __post_init__(self) -> None:
        if len(self.shares) != 3 or min(self.shares) <= 0 or not math.isclose(sum(self.shares), 1.0, abs_tol=1e-9):
            raise ValueError(f"shares are {self.shares}, allowed: three above 0 that sum to 1")
        if self.limit is not None and self.limit < LEAST:
            raise ValueError(f"--limit is {self.limit}, allowed: a whole number from {LEAST}")
        if self.group is not None and self.time is not None:
            raise ValueError("--group and --time: allowed: one of them")

    @property
    def columns(self) -> dict[str, str]:
        """The flags that name a column, and the columns that they name."""
        return {flag: name for flag in _MEANT if (name := getattr(self, flag)) is not None}

    def refuse(self, *flags: str) -> None:
        """Refuse flags that name a column, where the data have none."""
        for flag in flags:
            if getattr(self, flag) is not None:
                raise ValueError(f"--{flag} {_MEANT[flag]}: give it with {_ROW}, and only there")

    def refuse_parts(self) -> None:
        """Refuse flags that split data which come in parts."""
        for flag in ("group", "time"):
            if getattr(self, flag) is not None:
                raise ValueError("the data come in parts already, allowed: data in one piece")

    def want_target(self) -> str:
        """The column to learn, which a table cannot do without."""
        if self.target is None:
            raise ValueError(f"--target {_MEANT['target']}: give it with {_ROW}, and only there")
        return self.target


def listed(names: Sequence[str], most: int = 5) -> str:
    """Names with commas, the first few of many.

    >>> listed(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
