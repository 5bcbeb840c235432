"""A variance where a standard deviation is wanted, and noise that is not Gaussian."""

from __future__ import annotations

import torch
from demonstrate import show
from torch import Tensor

import torchnoise as tn

x = torch.full((1000, 1000), 128.0, dtype=torch.float64)  # a grey picture, 0 to 255
variance, sigma = 256.0, 16.0  # the same noise
at = tn.address(seed=0, examples=len(x))
torch.manual_seed(0)

# As it is typed
too_strong = x + variance * torch.randn_like(x)
too_weak = x + sigma**0.5 * torch.randn_like(x)
not_gaussian = x + sigma * torch.rand_like(x)

# What to type instead
gaussian = tn.noisy(x, tn.Gaussian(sigma), at)
uniform = tn.noisy(x, tn.Uniform(sigma * 3**0.5), at)


def row(code: str, noisy: Tensor) -> tuple[str, ...]:
    std, mean = (noisy - x).std().item(), (noisy - x).mean()
    factor = f"{std / sigma:.1f} times" if std > sigma else f"1 / {sigma / std:.1f}"
    return code, f"{std:.1f}", "1" if abs(std / sigma - 1) < 0.01 else factor, f"{mean:+.1f}"


show(
    f"std {sigma:g} is meant|std|of what is meant|mean",
    row("x + variance * randn", too_strong),
    row("x + sigma**0.5 * randn", too_weak),
    row("x + sigma * rand", not_gaussian),
    row("tn.Gaussian(sigma)", gaussian),
    row("tn.Uniform(sigma * 3**0.5)", uniform),
)
