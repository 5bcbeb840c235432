"""The data of these studies, read as plainly as it goes."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


class Split(NamedTuple):
    """x: float32 [N, inputs];  y: int64 [N], or float32 [N]."""

    x: Tensor
    y: Tensor
    test_x: Tensor
    test_y: Tensor


def split(x: Tensor, y: Tensor, train: int, seed: int = 0, test: int | None = None) -> Split:
    """The first `train` of a random order, and the rest, or its first `test`."""
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))
    a, b = order[:train], order[train : None if test is None else train + test]
    return Split(x[a], y[a], x[b], y[b])


def digits() -> tuple[Tensor, Tensor]:
    """scikit-learn's 1797 digits of 8 x 8, scaled to [0, 1]."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return torch.tensor(x / 16.0, dtype=torch.float32), torch.tensor(y)


def mnist(folder: Path, halved: bool = False) -> tuple[Tensor, Tensor]:
    """The digits in FOLDER/mnist10k, scaled to [0, 1]. halved: 14 x 14, by averages over 2 x 2 pixels."""
    images, labels = (_idx(folder / "mnist10k", kind) for kind in ("images-idx3", "labels-idx1"))
    x = torch.tensor(images.reshape(-1, 1, 28, 28) / np.float32(255.0))
    return (functional.avg_pool2d(x, 2) if halved else x).flatten(1), torch.tensor(labels.astype(np.int64))


def _idx(folder: Path, kind: str) -> np.ndarray:
    files = sorted(folder.glob(f"*{kind}-ubyte.gz"))
    if len(files) != 1:
        raise SystemExit(f"{folder}: allowed: one file *{kind}-ubyte.gz")
    content = gzip.decompress(files[0].read_bytes())
    return np.frombuffer(content, np.uint8, offset=4 + 4 * content[3])


def diabetes() -> tuple[Tensor, Tensor]:
    """scikit-learn's 442 patients: 10 measurements and a number to predict, each standardised."""
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True)
    columns = [torch.tensor(column, dtype=torch.float32) for column in (x, y)]
    return tuple((c - c.mean(0)) / c.std(0, correction=0) for c in columns)  # type: ignore[return-value]
