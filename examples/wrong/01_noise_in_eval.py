"""Noise on in eval: a noise layer that never asks whether the model trains."""

from __future__ import annotations

import torch
from demonstrate import accuracy, digits, fit, mlp, sgd, show
from torch import Tensor, nn

import torchnoise as tn

data = digits()


# As it is typed
class GaussianNoise(nn.Module):
    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.sigma = sigma

    def forward(self, x: Tensor) -> Tensor:
        return x + self.sigma * torch.randn_like(x)


torch.manual_seed(0)
typed = mlp(first=GaussianNoise(0.3))
fit(typed, sgd(typed), data.x, data.y)

# What to type instead
model = mlp()
optimizer = sgd(model)
plan = tn.Plan(tn.Injection(tn.Gaussian(0.3), at=tn.Inputs()))
with tn.attach(model, plan, seed=0, optimizer=optimizer):
    fit(model, optimizer, data.x, data.y)
    attached_calls = [accuracy(model, data.x_test, data.y_test) for _ in range(5)]

typed_calls = [accuracy(typed, data.x_test, data.y_test) for _ in range(5)]
without_layer = accuracy(typed[1:], data.x_test, data.y_test)

print("test accuracy in eval mode, five calls, %")
show(
    "|1|2|3|4|5",
    ("GaussianNoise layer", *(f"{a:.1f}" for a in typed_calls)),
    ("its weights, layer removed", f"{without_layer:.1f}", "", "", "", ""),
    ("tn.attach", *(f"{a:.1f}" for a in attached_calls)),
)
