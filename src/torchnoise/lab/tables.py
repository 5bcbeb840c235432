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

MISSING = frozenset(("", "?", "na", "n/a", "nan", "+nan", "-nan", "null", "none"))  # in small letters
NEARLY = 0.9  # a column with this share of numbers is meant to be one of numbers
SEPARATORS = (";", "\t", "|")  # that people use in place of commas
MOST = 100  # categories of one column that get a column each; rarer ones share one


class Csv(NamedTuple):
    """Column names, and cells without the spaces around them; None for what is missing. at: the rows' numbers, the
    first one below the header being 1."""

    names: tuple[str, ...]
    rows: list[list[str | None]]
    at: list[int]

    def column(self, name: str) -> list[str | None]:
        """One column's cells."""
        at = self.names.index(name)
        return [row[at] for row in self.rows]

    def knowing(self, name: str) -> Csv:
        """The rows in which one column is not missing."""
        found = [i for i, cell in enumerate(self.column(name)) if cell is not None]
        return Csv(self.names, [self.rows[i] for i in found], [self.at[i] for i in found])


def read_csv(path: Path) -> Csv:
    """A CSV file with a header, gzipped or not.

    Raises:
        ValueError: no header, a name twice, another separator, a row of another length (with its line), or no text in
            UTF-8.
    """
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8-sig", newline="")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8-sig", newline="") as file
        ):
            reader = csv.reader(file, skipinitialspace=True)
            names = tuple(name.strip() for name in next(reader, ()))
            other = next((s for s in SEPARATORS if len(names) == 1 and s in names[0]), None)
            if other is not None:
                raise ValueError(f"{path}: the header has {other!r} between its names, allowed: commas, in every line")
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
    return Csv(names, rows, list(range(1, len(rows) + 1)))


def numbers(cells: list[str | None]) -> np.ndarray | None:
    """The cells as numbers, NaN where one misses: float64 [N]; None where one is no finite number, or all miss."""
    if all(cell is None for cell in cells):
        return None
    try:
        found = np.array([math.nan if cell is None else float(cell) for cell in cells])
    except ValueError:
        return None
    return None if np.isinf(found).any() else found


def odd_cells(cells: list[str | None]) -> list[int]:
    """Which cells are no numbers in a column that is meant to be one: at least 9 of 10 cells are, with more than 20
    different values. None in other columns."""
    known = [(i, _number(cell)) for i, cell in enumerate(cells) if cell is not None]
    odd = [i for i, value in known if value is None]
    values = {value for _, value in known if value is not None}
    return odd if len(known) - len(odd) >= NEARLY * len(known) and len(values) > FEW else []


def _number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return None if math.isinf(value) else value


def load_table(path: Path, target: str, seed: int) -> Sets:
    """A table's rows as numbers: numeric columns standardised (their median where a cell is missing), others one column
    a category. Rows without a target are left out.

    The target is a class where it has words, or at most 20 different whole numbers; otherwise a number, standardised.

    Raises:
        ValueError: a file that is no such table, no such column, or a target that is a number in most rows only.
    """
    table = read_csv(path)
    if target not in table.names:
        raise ValueError(f"--target {target}: {path.name} has no such column; {nearest(target, table.names)}")
    kept = table.knowing(target)
    wanted = kept.column(target)
    if not wanted:
        raise ValueError(f"--target {target}: every row misses it")
    mean, std = 0.0, 1.0
    classes: tuple[str, ...] | None = None
    y: np.ndarray
    values = numbers(wanted)
    if values is None and (odd := odd_cells(wanted)):
        raise ValueError(
            f"--target {target}: {wanted[odd[0]]!r} (row {kept.at[odd[0]]}) is no number, as most of this column is; "
            "correct it, or leave it empty: rows without a target are left out"
        )
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
    x, columns, doubts = _features(kept, target, parts.train, path)
    train, validation, test = (data_set(x[rows], y[rows]) for rows in parts)
    left = len(table.rows) - len(kept.rows)
    rows_said = f"{len(kept.rows)} rows{f' ({left} more without a target)' if left else ''}"
    kind = "a number (regression)" if classes is None else f"one of {len(classes)} classes"
    said = f"{path.name}: {rows_said}; {target} is {kind}; {columns}"
    return Sets(train, validation, test, classes, mean, std, said, doubts)


class Features(NamedTuple):
    """x: float32 [N, features]; said: which columns they are of; doubts: about each column that is nearly numbers."""

    x: np.ndarray
    said: str
    doubts: tuple[str, ...]


def _features(table: Csv, target: str, train: np.ndarray, path: Path) -> Features:
    """What is learned from, by what the training rows say."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

    columns: dict[str, list[list[Any]]] = {"numbers": [], "categories": []}
    left, doubts = [], []
    for name in table.names:
        cells = table.column(name)
        if name == target:
            continue
        if all(cells[row] is None for row in train):  # what the training part does not know, it cannot learn from
            left.append(name)
            continue
        found = numbers(cells)
        if found is None and (odd := odd_cells(cells)):
            doubts.append(
                f"column {name!r}: {cells[odd[0]]!r} (row {table.at[odd[0]]}) is no number, so it is taken as words "
                f"({len(odd)} of {len(cells)} cells)"
            )
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
    x = np.asarray(transform.transform(values), dtype=np.float32)
    said = f"{count} numeric columns, {len(columns['categories'])} of words (-> {x.shape[1]} inputs)"
    said += f"; left out: {', '.join(left)} (all missing)" if left else ""
    return Features(x, said, tuple(doubts))


def _floats(cells: np.ndarray) -> np.ndarray:
    return cells.astype(np.float64)
