"""Noise from a generator of its own under activation checkpointing: the gradient of a forward that never was."""

from __future__ import annotations

import torch
from demonstrate import digits, mlp, show
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, cross_entropy
from torch.utils.checkpoint import checkpoint

import torchnoise as tn

data = digits()
x, y = data.x[:100], data.y[:100]


# As it is typed
class Noise(nn.Module):
    def __init__(self, sigma: float, generator: torch.Generator | None) -> None:
        super().__init__()
        self.sigma, self.generator = sigma, generator

    def forward(self, x: Tensor) -> Tensor:
        return x * (1 + self.sigma * torch.randn(x.shape, generator=self.generator))


class Model(nn.Module):
    def __init__(self, noise: nn.Module, checkpointing: bool) -> None:
        super().__init__()
        first, relu, self.last = mlp()
        self.block, self.checkpointing = nn.Sequential(first, relu, noise), checkpointing

    def forward(self, x: Tensor) -> Tensor:
        h = checkpoint(self.block, x, use_reentrant=False) if self.checkpointing else self.block(x)
        return self.last(h)


def gradient(model: nn.Module) -> Tensor:
    """Of the weight inside the checkpointed block."""
    cross_entropy(model(x), y).backward()
    return model.block[0].weight.grad.flatten()


def typed(checkpointing: bool, generator: torch.Generator | None) -> Tensor:
    torch.manual_seed(0)
    return gradient(Model(Noise(0.5, generator), checkpointing))


# What to type instead
def attached(checkpointing: bool) -> Tensor:
    model = Model(nn.Identity(), checkpointing)
    plan = tn.Plan(tn.Injection(tn.Gaussian(0.5, combine="multiply"), at=tn.Activations(nn.ReLU)))
    with tn.attach(model, plan, seed=0):
        return gradient(model)


def row(name: str, plain: Tensor, recomputed: Tensor) -> tuple[str, ...]:
    off, along = (recomputed - plain).norm() / plain.norm(), cosine_similarity(plain, recomputed, dim=0)
    return name, f"{off:.3f}", f"{along:.3f}"


show(
    "gradient with checkpointing, against without|off by|cosine",
    row("randn from a generator of its own", *(typed(on, torch.Generator().manual_seed(0)) for on in (False, True))),
    row("randn from torch's generator", *(typed(on, None) for on in (False, True))),
    row("tn.Gaussian at tn.Activations", *map(attached, (False, True))),
)
