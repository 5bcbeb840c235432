"""As much of the `datasets` library as the data layer uses: columns by name, and what kind each is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class Value:
    def __init__(self, dtype: str) -> None:
        self.dtype = dtype


class ClassLabel:
    dtype = "int64"

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)


class Image:
    dtype = "PIL.Image.Image"


class Dataset:
    def __init__(self, columns: dict[str, list[Any]], features: dict[str, Any]) -> None:
        self._columns, self.features = columns, features

    def __len__(self) -> int:
        return len(next(iter(self._columns.values())))

    def __getitem__(self, column: str) -> list[Any]:
        return self._columns[column]
