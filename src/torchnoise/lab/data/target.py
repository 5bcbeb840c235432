"""What is to be learned: classes by number, or numbers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .asked import LEAST
from .columns import FEW, numbers, odd_cells
from .table import Cells, Table


class Target(NamedTuple):
    """y: int64, the numbers of `classes`; or float64, where classes is None."""

    y: np.ndarray
    classes: tuple[str, ...] | None

    @property
    def said(self) -> str:
        """In words."""
        return "a number (regression)" if self.classes is None else f"one of {len(self.classes)} classes"


def target_of(table: Table, name: str) -> Target:
    """A column of a table, in which no cell is missing: classes where it has words, or at most 20 different whole
    numbers; otherwise numbers.

    Raises:
        ValueError: words in a column of numbers, one value only, or nearly as many classes as rows.
    """
    cells = table.column(name)
    values = numbers(cells)
    if values is None and (odd := _odd(cells)):
        raise ValueError(
            f"--target {name}: {cells[odd[0]]!r} (row {table.at[odd[0]]}) is no number, as most of this column is; "
            "correct it, or leave it empty: rows without a target are left out"
        )
    if values is not None:
        found = of_numbers(values)
    else:
        words, codes = np.unique(np.array(cells, dtype=object).astype(str), return_inverse=True)
        found = Target(codes.astype(np.int64), tuple(map(str, words)))
    return learnable(found, f"--target {name}")


def _odd(cells: Cells) -> list[int]:
    """Cells that are no finite numbers where the others are meant to be: by their share, or infinity beside numbers."""
    odd = odd_cells(cells)
    if odd:
        return odd
    try:
        return np.flatnonzero(np.isinf([float(cell or "nan") for cell in cells])).tolist()
    except ValueError:
        return []


def of_numbers(values: np.ndarray) -> Target:
    """Finite numbers: classes where they are at most 20 different whole ones."""
    different, codes = np.unique(values, return_inverse=True)
    if len(different) <= FEW and (different == np.round(different)).all():
        return Target(codes.astype(np.int64), tuple(str(int(v)) for v in different))
    return Target(values.astype(np.float64), None)


def of_array(values: Any, what: str, labels: bool = False) -> Target:
    """An array of numbers or words: [N], [N, 1], or one-hot [N, classes]. labels: whole numbers are classes, however
    many.

    Raises:
        ValueError: another shape, numbers that are not finite, or one value only.
    """
    y = np.asarray(values)
    if y.ndim == 2 and y.shape[1] > 1 and np.isin(y, (0, 1)).all() and (y.sum(1) == 1).all():
        y = y.argmax(1)
    elif y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise ValueError(f"{what}: y has shape {y.shape}, allowed: (N,), (N, 1), or one-hot (N, classes)")
    if y.dtype.kind in "biuf":
        if not np.isfinite(y).all():
            raise ValueError(f"{what}: y[{int(np.flatnonzero(~np.isfinite(y))[0])}] is not finite")
        if labels and y.dtype.kind in "biu":
            different, codes = np.unique(y, return_inverse=True)
            return learnable(Target(codes.astype(np.int64), tuple(str(int(v)) for v in different)), what)
        return learnable(of_numbers(y.astype(np.float64)), what)
    words, codes = np.unique(y.astype(str), return_inverse=True)
    return learnable(Target(codes.astype(np.int64), tuple(map(str, words))), what)


def learnable(target: Target, what: str) -> Target:
    """The target, from which something can be learned."""
    values, counts = np.unique(target.y, return_counts=True)
    if len(values) == 1:
        only = float(values[0]) if target.classes is None else target.classes[int(values[0])]
        raise ValueError(f"{what}: every row is {only!r}, so that there is nothing to learn")
    enough = len(target.y) >= LEAST  # fewer rows have an error of their own
    if enough and target.classes is not None and 2 * counts[counts < 3].sum() > len(target.y):
        raise ValueError(
            f"{what}: {len(values)} classes in {len(target.y)} rows, most of them once or twice, allowed: classes with "
            "examples to learn from"
        )
    return target
