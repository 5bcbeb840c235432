"""How sharp the training loss is around a network's weights.

`smoothed_rise` is what noise on the weights adds to the loss on average. To second order, noise of r rms(W) on each
matrix W adds r^2 / 2 times the relative trace, the sum over matrices of rms(W)^2 tr(H_WW), H being the second
derivative of the loss. Scaling a layer up and the next one down changes the plain trace of a ReLU network and not what
it computes (Dinh et al. 2017); the relative trace it does not change.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

import torchnoise as tn


def smoothed_rise(model: nn.Module, x: Tensor, y: Tensor, radius: float, draws: int) -> float:
    """E loss(w + radius rms(w) z) - loss(w), z ~ N(0, 1): a mean over draws, the same for all networks and radii."""
    noise = tn.Injection(tn.Gaussian(radius, relative_to="rms"), at=tn.Weights())
    risen = 0.0
    with torch.no_grad(), tn.attach(model.eval(), noise, seed=0, measure_every=0):
        clean = float(functional.cross_entropy(model(x), y))
        for draw in range(draws):
            with tn.active(model, draw):
                risen += float(functional.cross_entropy(model(x), y)) - clean
    return risen / draws


class Traces(NamedTuple):
    """Of the mean loss's second derivative with respect to the matrices of weights."""

    plain: float
    relative: float


def traces(model: nn.Module, x: Tensor, y: Tensor, probes: int, seed: int = 0) -> Traces:
    """By Hutchinson's estimator: E v' H v = tr H for random signs v. For the relative trace v is signs times rms(W), so
    that not only its mean is unchanged by scaling."""
    matrices = [p for p in model.parameters() if p.dim() > 1]
    slopes = torch.autograd.grad(functional.cross_entropy(model(x), y), matrices, create_graph=True)
    generator = torch.Generator().manual_seed(seed)
    sizes = [float(p.detach().square().mean().sqrt()) for p in matrices]
    plain = relative = 0.0
    for _ in range(probes):
        signs = [torch.randint(0, 2, p.shape, generator=generator) * 2.0 - 1.0 for p in matrices]
        plain += bend(slopes, matrices, signs) / probes
        relative += bend(slopes, matrices, [s * size for s, size in zip(signs, sizes, strict=True)]) / probes
    return Traces(plain, relative)


def bend(slopes: Sequence[Tensor], at: Sequence[Tensor], along: Sequence[Tensor]) -> float:
    """v' H v, H being the derivative of the slopes."""
    slope = torch.stack([(g * v).sum() for g, v in zip(slopes, along, strict=True)]).sum()
    products = torch.autograd.grad(slope, at, retain_graph=True)
    return float(torch.stack([(v * hv).sum() for v, hv in zip(along, products, strict=True)]).sum())
