"""What Bishop (1995) says that noise on inputs adds to a loss, and what it adds.

Let x get noise e ~ N(0, sigma^2 I). Taylor's series of a smooth loss l(x) gives

    E l(x + e) - l(x) = sigma^2 / 2 tr(d^2 l / dx^2) + O(sigma^4).

The trace has two parts. One is made of first derivatives of the network alone and never negative: the penalty.

    squared error (f - y)^2:   sigma^2 |df/dx|^2 + sigma^2 (f - y) tr(d^2 f / dx^2)
    cross-entropy of logits z: sigma^2 / 2 sum_k p_k |dz_k/dx - sum_j p_j dz_j/dx|^2
                               + sigma^2 / 2 sum_k (p_k - t_k) tr(d^2 z_k / dx^2)

The other has residuals as factors: it vanishes for linear networks, and on average over the targets where the network
gives their mean. (With a half before the squared error, as Bishop has it, everything has a half.)
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import hessian, jacrev, vmap
from torch.nn import functional

import torchnoise as tn


def losses(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Each example's: cross-entropy where y are classes, squared error where they are numbers."""
    given = model(x)
    if y.is_floating_point():
        return (given[..., 0] - y) ** 2
    return functional.cross_entropy(given, y, reduction="none")


def penalty(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The mean penalty for sigma = 1. A gradient through it is a second derivative of the network: double backprop."""
    slopes = vmap(jacrev(model))(x)  # [examples, outputs, inputs]
    if y.is_floating_point():
        return slopes.square().sum((1, 2)).mean()
    p = torch.softmax(model(x), 1).unsqueeze(2)
    return 0.5 * (p * (slopes - (p * slopes).sum(1, keepdim=True)).square()).sum((1, 2)).mean()


def second_order(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Half the mean trace of the loss's second derivative: the penalty and the residuals' part, for sigma = 1."""
    each = hessian(lambda one, target: losses(model, one.unsqueeze(0), target.unsqueeze(0))[0])
    traces = vmap(lambda one, target: each(one, target).diagonal().sum(), chunk_size=100)(x, y)
    return 0.5 * traces.mean()


def rise(model: nn.Module, x: Tensor, y: Tensor, sigma: float, draws: int, seed: int) -> float:
    """How much the mean loss rises under noise of this strength, by the mean over some draws and their mirror images.

    Mirror images make all odd orders vanish, whose chance would hide a small rise.
    """
    total = 0.0
    with torch.no_grad():
        clean = losses(model, x, y).mean().double()
        for draw in range(draws):
            noisy = tn.noisy(x, tn.Gaussian(sigma), tn.address(seed=seed, step=draw, examples=len(x)))
            for at in (noisy, 2 * x - noisy):
                total += float(losses(model, at, y).mean().double() - clean)
    return total / (2 * draws)
