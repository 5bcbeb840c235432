"""Small models for data of any shape, for `torchnoise train`."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn

WIDTH = 128


def mlp_for(shape: tuple[int, ...], outputs: int) -> nn.Sequential:
    """Two hidden layers of 128."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(math.prod(shape), WIDTH),
        nn.ReLU(),
        nn.Linear(WIDTH, WIDTH),
        nn.ReLU(),
        nn.Linear(WIDTH, outputs),
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


NETS: dict[str, Callable[[tuple[int, ...], int], nn.Module]] = {"mlp": mlp_for, "cnn": cnn_for}


def net_for(name: str, shape: tuple[int, ...], outputs: int, seed: int) -> nn.Module:
    """A model by its name, initialised from `seed` without moving torch's generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return NETS[name](shape, outputs)
