"""Sharpness: against the Hessian where the loss is quadratic, with one noise at every radius, and without a trace."""

import copy

import pytest
import torch
from lab.measures.toys import Toy, mlp, table, trained
from torch import nn

import torchnoise as tn
from torchnoise.lab.measures.sharpness import RADII, sharpness_line, smoothed_loss

DRAWS = 4  # of a small network


def at_its_optimum():
    """Linear regression, at the weights of least squares: the loss is quadratic, its gradient 0."""
    data, _ = table(features=4, classes=None)
    model = Toy(lambda: nn.Linear(4, 1, bias=False))
    net = model.build(0)
    x, y = data.train.x, data.train.y
    with torch.no_grad():
        net.weight.copy_(torch.linalg.lstsq(x, y[:, None]).solution.T)
    return net.eval(), model, data


def test_the_rise_is_half_the_hessians_trace():
    """E L(w + d) - L(w) = sigma^2 rms^2 tr(H) / 2, H = 2 X'X / n: over 3,000 draws within 5 standard errors."""
    net, model, data = at_its_optimum()
    x, rms, radius, draws = data.train.x, float(net.weight.detach().square().mean().sqrt()), 0.1, 3000
    clean, noisy = (smoothed_loss(net, model, data.task, data.train, r, seed=0, draws=draws) for r in (0.0, radius))
    half = radius**2 * rms**2 * x.T @ x / len(x)
    error = float((2 * (half @ half).trace() / draws).sqrt())
    assert abs(noisy - clean - float(half.trace())) < 5 * error


def test_a_finite_difference_finds_the_same_trace():
    """sum over weights of (L(w + h) - 2 L(w) + L(w - h)) / h^2, against the trace used above."""
    net, _, data = at_its_optimum()
    loss = lambda: float(data.task.loss(net(data.train.x).detach(), data.train.y))  # noqa: E731
    clean, h, trace = loss(), 0.1, 0.0
    for i in range(4):
        for sign in (1, -1):
            with torch.no_grad():
                net.weight[0, i] += sign * h
            trace += (loss() - clean) / h**2
            with torch.no_grad():
                net.weight[0, i] -= sign * h
    x = data.train.x
    assert trace == pytest.approx(float(2 * (x.T @ x).trace() / len(x)), rel=1e-3)


def test_every_radius_has_the_same_draws():
    """So at the optimum of a quadratic loss, twice the radius is four times the rise, for any number of draws."""
    net, model, data = at_its_optimum()
    line = sharpness_line(net, model, data, seed=1)
    assert line.x == list(RADII)
    rise = {r: y - line.y[0] for r, y in zip(line.x, line.y, strict=True)}
    assert rise[0.1] > 0
    assert rise[0.2] == pytest.approx(4 * rise[0.1], rel=1e-3)
    assert rise[0.4] == pytest.approx(16 * rise[0.1], rel=1e-3)


def test_a_line_is_the_mean_over_draws_by_hand():
    """The same noise from the plan by hand, in one chunk."""
    data, _ = table()
    model = mlp(5, 3)
    net = trained(model, data)
    losses = []
    with tn.attach(net, tn.Injection(tn.Gaussian(0.2, relative_to="rms"), at=tn.Weights()), seed=5):
        for draw in range(DRAWS):
            with tn.active(net, draw), torch.no_grad():
                losses.append(float(data.task.loss(net(data.train.x), data.train.y)))
    assert len(set(losses)) == DRAWS
    assert sharpness_line(net, model, data, seed=5).y[RADII.index(0.2)] == pytest.approx(sum(losses) / DRAWS)


def test_radius_0_is_the_clean_loss_and_the_network_stays():
    data, _ = table()
    model = mlp(5, 3)
    net = trained(model, data).train()
    before = copy.deepcopy(net.state_dict())
    random = torch.random.get_rng_state()
    line = sharpness_line(net, model, data, seed=0)
    assert sharpness_line(net, model, data, seed=0) == line != sharpness_line(net, model, data, seed=1)
    assert line.y[0] == pytest.approx(float(data.task.loss(net.eval()(data.train.x).detach(), data.train.y)))
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert torch.equal(random, torch.random.get_rng_state())
    assert all("forward" not in m.__dict__ for m in net.modules())


def test_layers_scaled_against_each_other_are_as_sharp():
    """A ReLU network without biases computes the same with one layer times 8 and the next by 8."""
    data, _ = table()
    model = Toy(lambda: nn.Sequential(nn.Linear(5, 8, bias=False), nn.ReLU(), nn.Linear(8, 3, bias=False)))
    net = trained(model, data)
    line = sharpness_line(net, model, data, seed=0)
    with torch.no_grad():
        net[0].weight.mul_(8)
        net[2].weight.div_(8)
    assert sharpness_line(net, model, data, seed=0).y == pytest.approx(line.y, rel=1e-4)


def test_no_matrix_no_line():
    data, _ = table()

    class Scale(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(3))

        def forward(self, x):
            return x[:, :3] * self.scale

    assert sharpness_line(Scale(), Toy(Scale), data, seed=0) is None


def test_not_finite_is_none():
    data, _ = table()
    model = mlp(5, 3)
    net = model.build(0)
    nn.init.constant_(net[3].bias, float("nan"))
    assert sharpness_line(net, model, data, seed=0).y == [None] * len(RADII)
