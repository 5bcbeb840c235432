"""How a model is trained unless one says otherwise."""

from __future__ import annotations

import math
from typing import NamedTuple

from .spec import Training

SMALL, LARGE = 500, 10_000  # rows: below and above these, batches are smaller and larger
BATCHES = 32, 96, 256
CALM = 3e-3  # the highest rate for LARGE data, which many steps fit well enough without haste


class Recipe(NamedTuple):
    """rate: the learning rate for classes, and for numbers;  epochs: on few rows, and on many;  steps: fewer or more
    of them change the epochs;  batch: None goes by the rows, and the rate along with small ones."""

    rate: tuple[float, float]
    epochs: tuple[int, int] = (25, 10)
    steps: tuple[int, int] = (200, 3000)
    batch: int | None = None
    warmup: float = 0.05
    weight_decay: float = 0.0


# Settled on validation data: digits, diabetes, Adult, MNIST and SST-2, training parts of 265 to 22,792 rows.
RECIPES = {
    "mlp": Recipe((1e-2, 3e-3)),
    "cnn": Recipe((1e-2, 3e-3)),
    "transformer": Recipe((2e-3, 5e-4), (25, 5), warmup=0.1),
    "mlp of texts": Recipe((1e-3, 1e-3), (10, 5)),
    "transformer of texts": Recipe((1e-3, 1e-3), (10, 5), warmup=0.1),
    "code": Recipe((3e-3, 1e-3)),
    "pretrained": Recipe((5e-5, 5e-5), (1, 1), (100, 3000), batch=16, warmup=0.1, weight_decay=0.01),
}


def default_training(kind: str, rows: int, numbers: bool = False) -> Training:
    """The recipe of a kind of model (a key of RECIPES), with batches and epochs for so many training rows.

    Few rows are seen often, and many rows do not take long: epochs fall as 1 / rows from the recipe's first number to
    its second. Where that makes fewer or more steps than the recipe allows, epochs make up for it, from 1 to 100.

    >>> default_training("mlp", 719)
    Training(epochs=25, batch_size=96, learning_rate=0.01, weight_decay=0.0, warmup=0.05)
    >>> [default_training("mlp", rows).epochs for rows in (50, 265, 4000, 20_000, 2_000_000)]
    [100, 25, 15, 10, 1]
    """
    recipe = RECIPES[kind]
    batch, rate = recipe.batch, recipe.rate[numbers]
    if batch is None and rows < SMALL:
        batch, rate = BATCHES[0], rate * BATCHES[0] / BATCHES[1]
    elif batch is None and rows > LARGE:
        batch, rate = BATCHES[2], min(rate, CALM)
    epochs = _epochs(recipe, rows, batch or BATCHES[1])
    return Training(epochs, batch or BATCHES[1], float(f"{rate:.1g}"), recipe.weight_decay, recipe.warmup)


def _epochs(recipe: Recipe, rows: int, batch: int) -> int:
    an_epoch = math.ceil(rows / batch)
    most, least = recipe.epochs
    epochs = min(max(round(2400 * most / rows), least), most)
    fewest, steps = recipe.steps
    epochs = max(epochs, math.ceil(fewest / an_epoch))
    return min(epochs, max(1, steps // an_epoch), 100)
