"""Data: examples to train and choose on, and a sealed test set that is opened once."""

from __future__ import annotations

import hashlib
from typing import NamedTuple, NoReturn

import numpy as np
import torch
from torch import Tensor

# So few training examples that the model overfits, and so many test examples that one of them weighs little.
TRAIN, VALIDATION = 0.4, 0.2


class Examples(NamedTuple):
    """x: float32 [N, features];  y: int64 [N], the classes."""

    x: np.ndarray
    y: np.ndarray

    def tensors(self) -> tuple[Tensor, Tensor]:
        return torch.from_numpy(self.x), torch.from_numpy(self.y)


class Data(NamedTuple):
    """All that a training run may see."""

    train: Examples
    validation: Examples


class SealedTest:
    """The test set. It opens once, and does not travel to other processes, where runs are trained and chosen."""

    def __init__(self, examples: Examples) -> None:
        self._examples: Examples | None = examples
        self.size = len(examples.y)

    def open(self) -> Examples:
        """The examples, the first time; an error ever after."""
        if self._examples is None:
            raise RuntimeError("the test set was opened already; a second look would let it choose")
        examples, self._examples = self._examples, None
        return examples

    def __reduce__(self) -> NoReturn:
        raise TypeError("a sealed test set stays in its process; runs get training and validation data only")


def load_digits() -> Examples:
    """The 1797 handwritten digits of scikit-learn: 8 x 8 grey images, scaled to [0, 1]."""
    from sklearn.datasets import load_digits as load

    x, y = load(return_X_y=True)
    return Examples((x / 16.0).astype(np.float32), y.astype(np.int64))


def split(examples: Examples, seed: int) -> tuple[Data, SealedTest]:
    """Training, validation and test data, each with the same share of every class."""
    # the last number sets these splits apart from those on which the ladders and the training were settled
    generator = np.random.default_rng([seed, len(examples.y), 1])
    parts: tuple[list[np.ndarray], ...] = ([], [], [])
    for label in np.unique(examples.y):
        rows = generator.permutation(np.flatnonzero(examples.y == label))
        ends = np.round(np.array([TRAIN, TRAIN + VALIDATION]) * len(rows)).astype(int)
        for part, chosen in zip(parts, np.split(rows, ends), strict=True):
            part.append(chosen)
    train, validation, test = (_take(examples, np.sort(np.concatenate(p))) for p in parts)
    return Data(train, validation), SealedTest(test)


def _take(examples: Examples, rows: np.ndarray) -> Examples:
    return Examples(np.ascontiguousarray(examples.x[rows]), np.ascontiguousarray(examples.y[rows]))


def fingerprint(data: Data) -> str:
    """A hash of the bytes that runs are trained and chosen on."""
    digest = hashlib.sha256()
    for part in data:
        for array in part:
            digest.update(str((array.dtype, array.shape)).encode() + array.tobytes())
    return digest.hexdigest()
