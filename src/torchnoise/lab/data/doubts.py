"""What may be wrong with data: leaks, and rows that are in two parts."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from .columns import Column
from .parts import Part
from .target import Target

SAME = 1.0 - 1e-9  # a correlation from which two columns say the same


def leaks(columns: Sequence[Column], target: Target, name: str) -> list[str]:
    """A line on each column that says what the target says: one value for each class, or the same number in another
    unit."""
    found = [repr(c.name) for c in columns if _says_the_same(c, target)]
    says = f"says in every row what the target {name!r} says, so that there may be nothing to learn (a leak)"
    return [f"column {column} {says}" for column in found]


def _says_the_same(column: Column, target: Target) -> bool:
    if target.classes is None:
        if column.values is None:
            return False
        known = ~np.isnan(column.values)
        x, y = column.values[known], target.y[known]
        if len(x) < 3 or x.std() == 0 or y.std() == 0:
            return False
        return abs(float(np.mean((x - x.mean()) * (y - y.mean())) / (x.std() * y.std()))) > SAME
    pairs: dict[str, int] = {}
    for cell, label in zip(column.cells, target.y.tolist(), strict=True):
        if cell is not None and pairs.setdefault(cell, label) != label:
            return False
    return len(pairs) == len(target.classes) == len(set(pairs.values()))


def twins(train: Part, test: Part) -> list[str]:
    """A line on test examples whose inputs are a training example's, too."""
    known = set(_contents(train))
    count = sum(content in known for content in _contents(test))
    if not count:
        return []
    return [
        f"{count} of {len(test)} test examples are also among those trained on, with the same inputs (duplicates, or "
        "columns of few values)"
    ]


def _contents(part: Part) -> list[object]:
    """Each example's inputs, to be compared."""
    if part.texts is not None:
        return list(part.texts)
    return [blake2b(row.tobytes(), digest_size=16).digest() for row in part.x.numpy()]
