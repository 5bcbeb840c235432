"""Small models for data of any shape, by name."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import nn

from ..seeded import seeded
from .transformer import transformer_for

WIDTH, NARROW = 128, 64  # of hidden layers; the second for inputs that are no wider themselves


def mlp_for(shape: tuple[int, ...], outputs: int) -> nn.Sequential:
    """Two hidden layers of 128, or of 64 for inputs of at most 64 numbers."""
    inputs = math.prod(shape)
    width = NARROW if inputs <= NARROW else WIDTH
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(inputs, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, outputs),
    )


def cnn_for(shape: tuple[int, ...], outputs: int) -> nn.Sequential:
    """Two convolutions, each halving the image, and a linear layer.

    Raises:
        ValueError: data that are no images.
    """
    if len(shape) != 3 or min(shape[1:]) < 4:
        raise ValueError(
            f"--model cnn takes images [channels, height, width] from 4 x 4 on, these data are {list(shape)}"
        )
    channels, height, width = shape
    return nn.Sequential(
        nn.Conv2d(channels, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * (height // 4) * (width // 4), outputs),
    )


NETS: dict[str, Callable[[tuple[int, ...], int], nn.Module]] = {
    "mlp": mlp_for,
    "cnn": cnn_for,
    "transformer": transformer_for,
}


def net_for(name: str, shape: tuple[int, ...], outputs: int, seed: int) -> nn.Module:
    """A model by its name, initialised from `seed` without moving torch's generator."""
    with seeded(seed):
        return NETS[name](shape, outputs)
