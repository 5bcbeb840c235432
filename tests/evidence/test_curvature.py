"""Traces by Hutchinson's estimator against whole second derivatives, and what the relative trace is for."""

from __future__ import annotations

import pytest
import torch
from kit.curvature import smoothed_rise, traces
from kit.nets import network, train
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional


def case() -> tuple[nn.Module, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(20, 3, generator=generator)
    return network((3, 5, 4), nn.Tanh, 0), x, torch.randint(4, (20,), generator=generator)


def exactly(model: nn.Module, x: Tensor, y: Tensor) -> tuple[float, float]:
    plain = relative = 0.0
    for name, p in model.named_parameters():
        if p.dim() < 2:
            continue

        def loss(flat: Tensor, name: str = name, like: Tensor = p) -> Tensor:
            return functional.cross_entropy(functional_call(model, {name: flat.view_as(like)}, x), y)

        trace = float(torch.autograd.functional.hessian(loss, p.detach().flatten()).trace())
        plain, relative = plain + trace, relative + trace * float(p.detach().square().mean())
    return plain, relative


def test_traces_are_those_of_the_whole_second_derivative() -> None:
    """Within 4 standard errors over 20 estimates of 100 probes each; these are below 3 % of the trace."""
    model, x, y = case()
    found = torch.tensor([traces(model, x, y, 100, seed) for seed in range(20)])
    error = found.std(0) / 20**0.5
    exact = torch.tensor(exactly(model, x, y))
    assert (error < 0.03 * exact.abs()).all()
    assert ((found.mean(0) - exact).abs() < 4 * error).all()


def test_half_the_relative_trace_is_the_rise_under_weak_noise() -> None:
    """Within a tenth, where a trained network has next to no slope (the mean's own error is a few per cent)."""
    model, x, y = case()
    train(
        model,
        lambda: functional.cross_entropy(model(x), y) + 0.003 * sum(p.square().sum() for p in model.parameters()),
        500,
        0.05,
    )
    radius = 0.03
    risen = smoothed_rise(model, x, y, radius, 3000)
    assert risen == pytest.approx(radius**2 / 2 * exactly(model, x, y)[1], rel=0.1)


def test_scaling_layers_against_each_other_changes_the_plain_trace_alone() -> None:
    """Dinh et al. 2017, for a ReLU network without biases."""
    _, x, y = case()
    model = network((3, 5, 4), nn.ReLU, 0)
    with torch.no_grad():
        for layer in (model[0], model[2]):
            layer.bias.zero_()
    before = traces(model, x, y, 10)
    with torch.no_grad():
        model[0].weight.mul_(4.0)
        model[2].weight.div_(4.0)
    after = traces(model, x, y, 10)
    assert after.relative == pytest.approx(before.relative, rel=1e-4)
    assert abs(after.plain / before.plain - 1) > 0.5
