"""Noise added to the weights in place, and never taken away again."""

from __future__ import annotations

from functools import partial

import torch
from demonstrate import accuracy, digits, fit, mlp, sgd, show
from torch import nn

import torchnoise as tn

SIGMA = 0.03
data = digits()
torch.manual_seed(0)


# As it is typed
def add_noise(model: nn.Module) -> None:
    for p in model.parameters():
        p.data.add_(SIGMA * torch.randn_like(p))


# What to type instead
plan = tn.Plan(tn.Injection(tn.Gaussian(SIGMA), at=tn.Weights()))


def rms(model: nn.Sequential) -> float:
    return (model[0].weight - mlp()[0].weight).square().mean().sqrt().item()


STEPS = (1, 10, 100, 1000)
walking, still, walked, stayed = mlp(), mlp(), {}, {}
with tn.attach(still, plan, seed=0) as noise:
    for step in range(1, max(STEPS) + 1):
        add_noise(walking)
        still(data.x[:1])
        noise.step()
        if step in STEPS:
            walked[step], stayed[step] = rms(walking), rms(still)

print(f"sigma {SIGMA}, no training: how far the weights are from where they began, after so many steps")
show(
    "|" + "|".join(map(str, STEPS)),
    ("p.data.add_", *(f"{walked[s]:.3f}" for s in STEPS)),
    ("sigma * sqrt(steps)", *(f"{SIGMA * s**0.5:.3f}" for s in STEPS)),
    ("tn.Weights", *(f"{stayed[s]:.3f}" for s in STEPS)),
)

found: dict[str, list[tuple[float, float]]] = {"no noise": [], "p.data.add_": [], "tn.Weights": []}
for seed in range(3):
    clean, typed, model = mlp(seed), mlp(seed), mlp(seed)
    fit(clean, sgd(clean), data.x, data.y, epochs=40, seed=seed)
    fit(typed, sgd(typed), data.x, data.y, epochs=40, seed=seed, after_step=partial(add_noise, typed))
    optimizer = sgd(model)
    with tn.attach(model, plan, seed=seed, optimizer=optimizer):
        fit(model, optimizer, data.x, data.y, epochs=40, seed=seed)
    for name, trained in zip(found, (clean, typed, model), strict=True):
        size = trained[0].weight.square().mean().sqrt().item()
        found[name].append((size, accuracy(trained, data.x_test, data.y_test)))

print("\n480 steps of training, means of three seeds")
table = []
for name, runs in found.items():
    size, right = (sum(column) / len(runs) for column in zip(*runs, strict=True))
    table.append((name, f"{size:.2f}", f"{right:.1f}"))
show("|rms of the first weight|test accuracy, %", *table)
