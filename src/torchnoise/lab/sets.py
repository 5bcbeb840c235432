"""Data for `torchnoise train`: training, validation and test parts, by a fixed seed."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import TensorDataset

VALIDATION, TEST = 0.15, 0.15  # shares of all examples
FEW = 20  # whole numbers with at most so many values are classes


class Sets(NamedTuple):
    """Three data sets of (x, y), and what y is.

    classes: their names, y being their numbers (int64 [N]); None where y is a number (float32 [N]), which is given in
    standard deviations of the training part: y = (number - mean) / std. said: how a table was read; doubts: a line for
    each of its columns that may be meant otherwise.
    """

    train: TensorDataset
    validation: TensorDataset
    test: TensorDataset
    classes: tuple[str, ...] | None
    mean: float = 0.0
    std: float = 1.0
    said: str = ""
    doubts: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return tuple(self.train.tensors[0].shape[1:])

    @property
    def outputs(self) -> int:
        """How many numbers a model has to give."""
        return 1 if self.classes is None else len(self.classes)

    @property
    def wanted(self) -> str:
        """The same in words."""
        return "1 output, for a number" if self.classes is None else f"{self.outputs} outputs, one for each class"

    def described(self) -> str:
        """What was read, and what a model for it takes and gives, in a line."""
        count = sum(len(part) for part in (self.train, self.validation, self.test))
        said = self.said or f"{count} examples; {self.outputs} classes"
        return f"{said}; a model takes batches of shape (N, {', '.join(map(str, self.shape))}) and gives {self.wanted}"


class Parts(NamedTuple):
    """The rows of each part: int64."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def split(count: int, seed: int, classes: np.ndarray | None = None) -> Parts:
    """Rows for training, validation and test, by a seed, with each class's share where every class has some for each.

    Raises:
        ValueError: fewer than 10 rows.
    """
    from sklearn.model_selection import train_test_split

    if count < 10:
        raise ValueError(f"{count} rows, allowed: at least 10, to be split into training, validation and test")
    if classes is not None and np.unique(classes, return_counts=True)[1].min() < 10:
        classes = None
    rows = np.arange(count)
    how = {"random_state": seed % (1 << 32), "shuffle": True}
    rest, test = train_test_split(rows, test_size=TEST, stratify=classes, **how)
    again = None if classes is None else classes[rest]
    train, validation = train_test_split(rest, test_size=VALIDATION / (1 - TEST), stratify=again, **how)
    return Parts(*(np.sort(part) for part in (train, validation, test)))


def data_set(x: np.ndarray, y: np.ndarray) -> TensorDataset:
    """Both as tensors: float32, and int64 or float32."""
    kind = np.int64 if y.dtype.kind in "ui" else np.float32
    tensors: list[Tensor] = [torch.from_numpy(np.ascontiguousarray(a)) for a in (x.astype(np.float32), y.astype(kind))]
    return TensorDataset(*tensors)


def as_sets(x: np.ndarray, y: np.ndarray, classes: tuple[str, ...], seed: int) -> Sets:
    """Examples of classes, split."""
    parts = split(len(y), seed, y)
    train, validation, test = (data_set(x[rows], y[rows]) for rows in parts)
    return Sets(train, validation, test, classes)


def load_sets(data: str, target: str | None, seed: int) -> Sets:
    """What `--data` names: "digits", a CSV file (with `--target`), or a folder with MNIST's files.

    Raises:
        ValueError: something else, a file that is not what it should be, a target that is missing or needless.
    """
    path = Path(data)
    table = path.name.lower().endswith((".csv", ".csv.gz"))
    known = table or data == "digits" or path.is_dir()
    if known and table != (target is not None):
        raise ValueError("--target names the column that is to be learned: give it with a CSV file, and only there")
    if table:
        from .tables import load_table

        return load_table(path, str(target), seed)
    if data == "digits":
        from sklearn.datasets import load_digits

        x, y = load_digits(return_X_y=True)
        return as_sets((x / 16.0).reshape(-1, 1, 8, 8), y, tuple("0123456789"), seed)
    if path.is_dir():
        from .idx import load_idx

        return load_idx(path, seed)
    what = "another kind of file" if path.exists() else "no such file"
    raise ValueError(f"--data {data}: {what}, allowed: digits, a file .csv or .csv.gz, a folder with MNIST's files")
