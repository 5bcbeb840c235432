"""A multilayer perceptron with noise where it is asked for."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from torch import nn

from ..noise import Noise as AnyNoise
from .noise import Noise

NoiseLike = AnyNoise | nn.Module | Callable[[], nn.Module]


def mlp(
    input_dim: int,
    hidden_dims: Sequence[int],
    output_dim: int,
    noise: NoiseLike | None = None,
    activation: Callable[[], nn.Module] = nn.ReLU,
    *,
    input_noise: NoiseLike | None = None,
    bias: bool = True,
    device: Any = None,
    dtype: Any = None,
) -> nn.Sequential:
    """nn.Sequential of linear layers and activations, with noise after each activation and at the input.

    Modules: input_noise, then linear0, activation0, noise0, linear1, ..., and the last linear. The names, and so the
    state_dict, are the same with and without noise.

    Args:
        input_dim, hidden_dims, output_dim: features, from 1; hidden_dims may be empty.
        noise: after each activation: a noise such as tn.Gaussian(0.1), a function or class that makes a module, or a
            module, of which each place gets a copy. None: none.
        activation: makes a module.
        input_noise: the same, before the first linear layer.
        bias, device, dtype: as of nn.Linear.

    Raises:
        ValueError: features below 1. TypeError: noise that is none of these.

    >>> import torchnoise as tn
    >>> mlp(4, [8], 2, noise=tn.Gaussian(0.1), input_noise=lambda: tn.nn.GaussianNoise(0.2))
    Sequential(
      (input_noise): GaussianNoise(std=0.2)
      (linear0): Linear(in_features=4, out_features=8, bias=True)
      (activation0): ReLU()
      (noise0): Noise(Gaussian(0.1))
      (linear1): Linear(in_features=8, out_features=2, bias=True)
    )
    """
    dims = [input_dim, *hidden_dims, output_dim]
    for dim in dims:
        if isinstance(dim, bool) or not isinstance(dim, int) or dim < 1:
            raise ValueError(f"mlp: dims are {dims}, allowed: whole numbers from 1")
    modules: OrderedDict[str, nn.Module] = OrderedDict()
    if input_noise is not None:
        modules["input_noise"] = _module("input_noise", input_noise)
    for i, (before, after) in enumerate(pairwise(dims)):
        modules[f"linear{i}"] = nn.Linear(before, after, bias, device, dtype)
        if i == len(hidden_dims):
            break
        modules[f"activation{i}"] = activation()
        if noise is not None:
            modules[f"noise{i}"] = _module("noise", noise)
    return nn.Sequential(modules)


def _module(name: str, noise: NoiseLike) -> nn.Module:
    if isinstance(noise, AnyNoise):
        return Noise(noise)
    made = copy.deepcopy(noise) if isinstance(noise, nn.Module) else noise() if callable(noise) else None
    if not isinstance(made, nn.Module):
        raise TypeError(f"mlp: {name} is {noise!r}, allowed: a noise, a module, or a function that makes a module")
    return made
