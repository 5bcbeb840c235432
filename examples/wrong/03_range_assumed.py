"""Noise made for pictures in [0, 1], on data that is somewhere else."""

from __future__ import annotations

import torch
from demonstrate import accuracy, digits, fit, mlp, sgd, show
from torch import Tensor

import torchnoise as tn

data = digits()
mean, std = data.x.mean(), data.x.std()
standardised = (data.x - mean) / std
x = (data.x_test - mean) / std
low, high = standardised.min().item(), standardised.max().item()
at = tn.address(seed=0, examples=len(x))
torch.manual_seed(0)

# As it is typed
clamped = torch.clamp(x + 0.1 * torch.randn_like(x), 0, 1)
u = torch.rand_like(x)
grey = torch.where(u < 0.05, 0.0, torch.where(u > 0.95, 1.0, x))
shifted = x + 0.1 * torch.rand_like(x)

# What to type instead
relative = tn.noisy(x, tn.Gaussian(0.1, relative_to="std"), at)
salted = tn.noisy(x, tn.SaltAndPepper(0.1, low=low, high=high), at)

models = [mlp(seed) for seed in range(3)]
for seed, model in enumerate(models):
    fit(model, sgd(model), standardised, data.y, seed=seed)


def row(name: str, noisy: Tensor) -> tuple[str, ...]:
    right = sum(accuracy(model, noisy, data.y_test) for model in models) / len(models)
    change = noisy - x
    return name, f"{change.mean():+.2f}", f"{change.square().mean().sqrt():.2f}", f"{right:.1f}"


outside = ((x < 0) | (x > 1)).double().mean()
darker, brighter = (x < 0).double().mean(), (x > 1).double().mean()
print(f"standardised digits run from {low:.2f} to {high:.2f}; {outside:.0%} lie outside [0, 1]")
print(f"darker than a pepper of 0: {darker:.0%}; brighter than a salt of 1: {brighter:.0%}")
show(
    "noise|mean|rms|accuracy of clean models, %",
    row("none", x),
    row("clamp(x + 0.1 * randn, 0, 1)", clamped),
    row('tn.Gaussian(0.1, relative_to="std")', relative),
    row("salt and pepper of 1 and 0", grey),
    row("tn.SaltAndPepper, ends of the data", salted),
    row("x + 0.1 * rand", shifted),
)

units = []
for name, stored in (("0 to 16, as loaded", 16 * data.x_test), ("0 to 1", data.x_test), ("standardised", x)):
    absolute = stored + 0.1 * torch.randn_like(stored)
    by_std = tn.noisy(stored, tn.Gaussian(0.1, relative_to="std"), at)
    units.append((name, *(f"{(noisy - stored).std() / stored.std():.3f}" for noisy in (absolute, by_std))))
print()
show('pixels stored as|0.1 * randn is, in std of the data|with relative_to="std"', *units)
