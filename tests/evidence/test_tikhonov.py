"""The penalty that noise on inputs amounts to, against slower and plainer ways to it."""

from __future__ import annotations

import pytest
import torch
from kit.nets import network
from kit.tikhonov import losses, penalty, rise, second_order
from torch import Tensor, nn

KINDS = {"regression": (1, nn.Tanh), "classes": (3, nn.Tanh), "classes, ReLU": (3, nn.ReLU)}


def case(kind: str) -> tuple[nn.Module, Tensor, Tensor]:
    outputs, activation = KINDS[kind]
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(7, 4, generator=generator, dtype=torch.float64)
    y = torch.randn(7, generator=generator, dtype=torch.float64)
    if outputs > 1:
        y = torch.randint(outputs, (7,), generator=generator)
    return network((4, 6, outputs), activation, 0).double(), x, y


def slowly(model: nn.Module, x: Tensor, y: Tensor) -> tuple[float, float]:
    """The penalty, and the residuals' part, one derivative after the other."""
    first = second = 0.0
    for one, target in zip(x, y, strict=True):
        given = model(one)
        slopes = [torch.autograd.functional.jacobian(lambda v, k=k: model(v)[k], one) for k in range(len(given))]
        bends = [torch.autograd.functional.hessian(lambda v, k=k: model(v)[k], one).trace() for k in range(len(given))]
        if y.is_floating_point():
            first += float(slopes[0] @ slopes[0])
            second += float((given[0] - target).detach() * bends[0])
            continue
        p = given.detach().softmax(0).tolist()
        mean = sum(q * s for q, s in zip(p, slopes, strict=True))
        first += sum(0.5 * q * float((s - mean) @ (s - mean)) for q, s in zip(p, slopes, strict=True))
        second += sum(0.5 * (q - float(k == target)) * float(b) for k, (q, b) in enumerate(zip(p, bends, strict=True)))
    return first / len(x), second / len(x)


@pytest.mark.parametrize("kind", KINDS)
def test_penalty_and_second_order_are_what_their_formulas_say(kind: str) -> None:
    """Exactly. Broken on purpose: without the mean's slope in the cross-entropy's penalty."""
    model, x, y = case(kind)
    first, second = slowly(model, x, y)
    assert penalty(model, x, y).item() == pytest.approx(first, rel=1e-9)
    assert second_order(model, x, y).item() == pytest.approx(first + second, rel=1e-9)


@pytest.mark.parametrize("kind", ["regression", "classes"])
def test_weak_noise_raises_the_loss_by_the_second_order(kind: str) -> None:
    """Within 4 standard errors of the mean over 400 pairs of draws, of which each is some 30 % off."""
    model, x, y = case(kind)
    sigma = 0.01
    found = [rise(model, x, y, sigma, 40, seed) / sigma**2 for seed in range(10)]
    error = torch.tensor(found).std() / len(found) ** 0.5
    assert error < 0.1 * found[0]
    assert abs(sum(found) / len(found) - second_order(model, x, y).item()) < 4 * error


def test_mirrored_noise_of_a_linear_network_is_squared_exactly() -> None:
    """(f(x + e) - y)^2 and its mirror image add up to 2 (f - y)^2 + 2 (w e)^2: twice the noise, four times the rise."""
    _, x, y = case("regression")
    model = network((4, 1), nn.Identity, 0).double()
    weak, strong = (rise(model, x, y, sigma, 3, 0) for sigma in (0.3, 0.6))
    assert strong == pytest.approx(4 * weak, rel=1e-6)
    assert penalty(model, x, y).item() == pytest.approx(model[0].weight.square().sum().item())
    assert losses(model, x, y).shape == (7,)
