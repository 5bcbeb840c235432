"""Small networks from a seed, and loops that train them on all examples at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

import torchnoise as tn


def network(dims: Sequence[int], activation: Callable[[], nn.Module], seed: int) -> nn.Sequential:
    """Linear layers with activations between, initialised as nn.Linear does, without moving torch's generator."""
    model = tn.nn.mlp(dims[0], list(dims[1:-1]), dims[-1], activation=activation, device="meta").to_empty(device="cpu")
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in model:
            if isinstance(layer, nn.Linear):
                bound = 1.0 / math.sqrt(layer.in_features)
                for p in layer.parameters():
                    p.uniform_(-bound, bound, generator=generator)
    return model


def train(
    model: nn.Module,
    loss: Callable[[], Tensor],
    steps: int,
    rate: float,
    plan: tn.Plan | None = None,
    seed: int = 0,
) -> None:
    """Adam, its rate falling to 0 along half a cosine. loss: of the model as it is; plan: noise to attach meanwhile."""
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    noise = None if plan is None else tn.attach(model, plan, seed=seed, optimizer=optimizer, measure_every=0)
    for _ in range(steps):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
        falling.step()
    if noise is not None:
        noise.detach()
