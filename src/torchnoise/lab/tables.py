"""Tables: a CSV file with a header, made into numbers by scikit-learn, which learns how from the training part only."""

from __future__ import annotations

import csv
import gzip
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import nearest
from .sets import FEW, Sets, data_set, split

MISSING = frozenset(("", "?", "na", "n/a", "nan", "null", "none"))  # in small letters
MOST = 100  # categories of one column that get a column each; rarer ones share one


class Csv(NamedTuple):
    """Column names, and cells without the spaces around them; None for what is missing."""

    names: tuple[str, ...]
    rows: list[list[str | None]]

    def column(self, name: str) -> list[str | None]:
        """One column's cells."""
        at = self.names.index(name)
        return [row[at] for row in self.rows]


def read_csv(path: Path) -> Csv:
    """A CSV file with a header, gzipped or not.

    Raises:
        ValueError: no header, a name twice, a row of another length (with its line), or no text in UTF-8.
    """
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8-sig", newline="")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8-sig", newline="") as file
        ):
            reader = csv.reader(file, skipinitialspace=True)
            names = tuple(name.strip() for name in next(reader, ()))
            rows = []
            for cells in reader:
                if not cells:
                    continue
                if len(cells) != len(names):
                    raise ValueError(
                        f"{path}:{reader.line_num}: {len(cells)} cells, allowed: {len(names)}, as in the header"
                    )
                rows.append([None if c.strip().lower() in MISSING else c.strip() for c in cells])
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as problem:
        raise ValueError(f"{path}: {getattr(problem, 'strerror', None) or problem}") from None
    if not names or len(set(names)) < len(names):
        raise ValueError(f"{path}: the first line is no header of different names")
    return Csv(names, rows)


def numbers(cells: list[str | None]) -> np.ndarray | None:
    """The cells as numbers, NaN where one misses: float64 [N]; None where one is no finite number, or all miss."""
    if all(cell is None for cell in cells):
        return None
    try:
        found = np.array([math.nan if cell is None else float(cell) for cell in cells])
    except ValueError:
        return None
    return None if np.isinf(found).any() else found


def load_table(path: Path, target: str, seed: int) -> Sets:
    """A table's rows as numbers: numeric columns standardised (their median where a cell is missing), others one column
    a category. Rows without a target are left out.

    The target is a class where it has words, or at most 20 different whole numbers; otherwise a number, standardised.

    Raises:
        ValueError: a file that is no such table, or no such column.
    """
    table = read_csv(path)
    if target not in table.names:
        raise ValueError(f"--target {target}: {path.name} has no such column; {nearest(target, table.names)}")
    kept = Csv(table.names, [row for row in table.rows if row[table.names.index(target)] is not None])
    wanted = kept.column(target)
    if not wanted:
        raise ValueError(f"--target {target}: every row misses it")
    mean, std = 0.0, 1.0
    classes: tuple[str, ...] | None = None
    y: np.ndarray
    values = numbers(wanted)
    if values is not None and not (len(np.unique(values)) <= FEW and (values == np.round(values)).all()):
        parts = split(len(values), seed)
        mean, std = float(values[parts.train].mean()), float(values[parts.train].std()) or 1.0
        y = (values - mean) / std
    else:
        names, numbered = np.unique([str(w) for w in wanted], return_inverse=True)
        y, classes = np.asarray(numbered), tuple(map(str, names))
        if len(classes) < 2:
            raise ValueError(f"--target {target}: every row is {classes[0]!r}, so that there is nothing to learn")
        parts = split(len(y), seed, y)
    x = _features(kept, target, parts.train, path)
    train, validation, test = (data_set(x[rows], y[rows]) for rows in parts)
    return Sets(train, validation, test, classes, mean, std)


def _features(table: Csv, target: str, train: np.ndarray, path: Path) -> np.ndarray:
    """float32 [N, features], by what the training rows say."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

    columns: dict[str, list[list[Any]]] = {"numbers": [], "categories": []}
    for name in table.names:
        cells = table.column(name)
        if name == target or all(cells[row] is None for row in train):
            continue  # what the training part does not know, it cannot learn from
        found = numbers(cells)
        if found is None:
            columns["categories"].append([cell or "(missing)" for cell in cells])
        else:
            columns["numbers"].append(list(found))
    together = [*columns["numbers"], *columns["categories"]]
    if not together:
        raise ValueError(f"{path}: no column but {target!r} has values")
    values = np.empty((len(table.rows), len(together)), dtype=object)
    for i, column in enumerate(together):
        values[:, i] = column
    count = len(columns["numbers"])
    make = {
        "numbers": make_pipeline(FunctionTransformer(_floats), SimpleImputer(strategy="median"), StandardScaler()),
        "categories": OneHotEncoder(max_categories=MOST, handle_unknown="infrequent_if_exist", sparse_output=False),
    }
    where = {"numbers": slice(0, count), "categories": slice(count, None)}
    transform = ColumnTransformer([(kind, make[kind], where[kind]) for kind in make if columns[kind]])
    transform.fit(values[train])
    return np.asarray(transform.transform(values), dtype=np.float32)


def _floats(cells: np.ndarray) -> np.ndarray:
    return cells.astype(np.float64)
