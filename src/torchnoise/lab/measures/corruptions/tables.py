"""Corruptions of tables: float32 [N, features], numbers standardised, categories one column each.

The training part says what is usual in a column. The columns that one category was made of are treated one by one, so
that a row may have several of them at once, or none.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...data import Data, Part
from .base import Corruption


def add_gaussian(x: Tensor, sigma: float, std: Tensor, generator: np.random.Generator) -> Tensor:
    """Gaussian noise, sigma times each column's standard deviation."""
    noise = torch.from_numpy(generator.standard_normal(tuple(x.shape), dtype=np.float32))
    return x + sigma * std * noise


def salt_and_pepper(x: Tensor, share: float, low: Tensor, high: Tensor, generator: np.random.Generator) -> Tensor:
    """A share of the values becomes the column's lowest or highest."""
    u = torch.from_numpy(generator.random(tuple(x.shape), dtype=np.float32))
    return torch.where(u < share / 2, low, torch.where(u < share, high, x))


def lose(x: Tensor, share: float, mean: Tensor, generator: np.random.Generator) -> Tensor:
    """A share of the values is missing, and filled in by the column's mean."""
    u = torch.from_numpy(generator.random(tuple(x.shape), dtype=np.float32))
    return torch.where(u < share, mean, x)


def _gaussian(part: Part, data: Data, sigma: float, generator: np.random.Generator) -> Tensor:
    return add_gaussian(part.x, sigma, data.train.x.std(0, correction=0), generator)


def _salt_and_pepper(part: Part, data: Data, share: float, generator: np.random.Generator) -> Tensor:
    return salt_and_pepper(part.x, share, data.train.x.amin(0), data.train.x.amax(0), generator)


def _missing(part: Part, data: Data, share: float, generator: np.random.Generator) -> Tensor:
    return lose(part.x, share, data.train.x.mean(0), generator)


TABLES = (
    Corruption(
        "gaussian noise", "sigma 0.1 to 1.5 of each column's standard deviation", (0.1, 0.25, 0.5, 1.0, 1.5), _gaussian
    ),
    Corruption(
        "salt and pepper",
        "1 % to 30 % of the values become their column's lowest or highest",
        (0.01, 0.03, 0.08, 0.15, 0.3),
        _salt_and_pepper,
    ),
    Corruption(
        "missing features",
        "5 % to 75 % of the values are missing, the column's mean in their place",
        (0.05, 0.15, 0.3, 0.5, 0.75),
        _missing,
    ),
)
