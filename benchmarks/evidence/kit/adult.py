"""UCI Adult, prepared with scikit-learn: does somebody earn more than 50,000 dollars a year?"""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

TARGET = "income-per-year"
NUMBERS = ("age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week")


class Table(NamedTuple):
    """rows: [N, columns] of text and numbers as objects;  y: int64 [N];  numbers: which columns are numbers."""

    rows: np.ndarray
    y: np.ndarray
    numbers: list[int]


def adult(folder: Path) -> Table:
    """The whole file."""
    text = gzip.decompress((folder / "adult.csv.gz").read_bytes()).decode()
    lines = [[cell.strip() for cell in line] for line in csv.reader(io.StringIO(text)) if line]
    head, body = lines[0], np.array(lines[1:], dtype=object)
    features = [i for i, name in enumerate(head) if name != TARGET]
    y = (body[:, head.index(TARGET)] == ">50K").astype(np.int64)
    return Table(body[:, features], y, [k for k, i in enumerate(features) if head[i] in NUMBERS])


def cancer() -> Table:
    """scikit-learn's breast cancer data, for quick runs."""
    from sklearn.datasets import load_breast_cancer

    x, y = load_breast_cancer(return_X_y=True)
    return Table(x.astype(object), y.astype(np.int64), list(range(x.shape[1])))


class Parts(NamedTuple):
    """Of one seed: its own training and validation rows; the test rows are everybody's."""

    train: tuple[Tensor, Tensor]
    validation: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]


def parts(table: Table, train: int, validation: int, test: int, seed: int) -> Parts:
    """Numbers standardised, categories one column for each value, by what the training rows say."""
    fixed = np.random.default_rng(0).permutation(len(table.y))
    pool = np.random.default_rng([1, seed]).permutation(fixed[test:])
    picked = pool[:train], pool[train : train + validation], fixed[:test]
    prepare = columns(table).fit(table.rows[picked[0]])
    inputs = (torch.tensor(prepare.transform(table.rows[rows]), dtype=torch.float32) for rows in picked)
    return Parts(*((x, torch.tensor(table.y[rows])) for x, rows in zip(inputs, picked, strict=True)))


def columns(table: Table) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    others = [i for i in range(table.rows.shape[1]) if i not in table.numbers]
    categories = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return ColumnTransformer([("numbers", StandardScaler(), table.numbers), ("categories", categories, others)])
