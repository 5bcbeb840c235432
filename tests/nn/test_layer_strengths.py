"""How strong the layers' noise is, against closed forms; and what their kernels and seeds decide exactly."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from cases import same
from layer_table import seeded
from torch import Tensor, nn

import torchnoise as tn
from torchnoise import oracle
from torchnoise.functional import number
from torchnoise.nn.uniform import Interval
from torchnoise.oracle import Static
from torchnoise.perturb import perturb

N = 1 << 20
SIGMA = 4.5  # of the estimate: for mean and variance of one case together, a false alarm in 70,000 other seeds


def signal() -> Tensor:
    """Four examples of rms 1, 2, 4, 8 with means, in float64, so that subtracting gives the noise."""
    z = torch.randn(4, N // 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 1.0
    return z / z.square().mean(1, keepdim=True).sqrt() * torch.tensor([[1.0], [2.0], [4.0], [8.0]])


def rms(x: Tensor) -> Tensor:
    return x.square().mean(1, keepdim=True).sqrt()


def one(x: Tensor) -> Tensor:
    return torch.ones_like(x)


def magnitude(x: Tensor) -> Tensor:
    return x.abs()


def deviation(x: Tensor) -> Tensor:
    return x.std(1, keepdim=True, correction=0)


# layer; what its noise is divided by; mean, variance and fourth central moment of the quotient
UNITS: list[tuple[nn.Module, Callable[[Tensor], Tensor], float, float, float]] = [
    (tn.nn.GaussianNoise(0.3), one, 0.0, 0.09, 3 * 0.09**2),
    (tn.nn.GaussianNoise(0.3, relative=True), magnitude, 0.0, 0.09, 3 * 0.09**2),
    (tn.nn.GaussianNoise(0.3, relative="rms"), rms, 0.0, 0.09, 3 * 0.09**2),
    (tn.nn.GaussianNoise(0.3, relative="std"), deviation, 0.0, 0.09, 3 * 0.09**2),
    (tn.nn.ActivationNoise(2.0), one, 0.0, 4.0, 48.0),
    (tn.nn.ActivationNoise(0.5, additive=False), lambda x: x, 0.0, 0.25, 3 / 16),
    (tn.nn.UniformNoise(), one, 0.0, 0.04 / 12, 0.2**4 / 80),
    (tn.nn.UniformNoise(0.5, 2.5), one, 1.5, 4 / 12, 16 / 80),
    (tn.nn.UniformNoise(-3.0, -2.0), one, -2.5, 1 / 12, 1 / 80),
]


@pytest.mark.parametrize(("layer", "unit", "mean", "variance", "fourth"), UNITS, ids=lambda v: str(v)[:50])
def test_mean_and_variance(layer: nn.Module, unit: Callable, mean: float, variance: float, fourth: float) -> None:
    """Broken on purpose: a centre that is left out; magnitudes of the whole batch instead of each example's."""
    x = signal()
    noise = (seeded(layer, x) - x) / unit(x)
    assert abs(float(noise.mean()) - mean) < SIGMA * math.sqrt(variance / N)
    assert abs(float(noise.var()) - variance) < SIGMA * math.sqrt((fourth - variance**2) / N)
    if unit is rms or unit is deviation:  # of each example, not of all together
        of_each = noise.var(1)
        assert ((of_each - variance).abs() < SIGMA * math.sqrt((fourth - variance**2) / (N / 4))).all()


def test_uniform_noise_keeps_to_its_interval() -> None:
    """Also in bfloat16, whose sums are rounded once. Broken on purpose: the centre added after rounding."""
    x = torch.zeros(N)
    y = seeded(tn.nn.UniformNoise(0.25, 1.0), x)
    assert float(y.min()) >= 0.25
    assert float(y.max()) <= 1.0
    ones = torch.ones(N, dtype=torch.bfloat16)  # neighbours of 1 are 1/128 apart
    near = seeded(tn.nn.UniformNoise(0.0, 0.0078), ones)
    assert set(near.unique().tolist()) == {1.0, 1.0078125}
    assert torch.equal(tn.nn.UniformNoise(0.5, 0.5)(x), x + 0.5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16], ids=str)
def test_the_intervals_kernel_has_its_draws_bits(dtype: torch.dtype) -> None:
    """Broken on purpose: the half width added to the centre before it is multiplied."""
    x = torch.randn(3, 1001, generator=torch.Generator().manual_seed(1)).to(dtype)
    static = Static(Interval(0.0, centre=0.3), "add", 0)
    at = tn.address(seed=4, step=2, examples=3)
    strength = number(0.7, x.device)
    assert same(perturb(x, static, strength, at), oracle.perturb(x, static, strength, at, None, None))


@pytest.mark.parametrize(
    ("relative", "unit"),
    [(None, 1.0), ("rms", 0.4), ("max", 0.7), ("std", 0.3)],
    ids=str,
)
def test_weight_noise(relative: str | None, unit: float) -> None:
    """The noisy matrix, seen through the identity: weight + std z, bias untouched.

    Each variance of 250,000 weights within 4.5 sigma: a false alarm in 147,000.
    """
    layer = tn.nn.NoisyLinear(500, 500, noise_std=0.2, relative_to=relative, dtype=torch.float64)
    with torch.no_grad():  # rms 0.4, largest 0.7, deviation 0.3
        layer.weight.fill_(0.4)
        if relative == "max":
            layer.weight[3, 4] = -0.7
        if relative == "std":
            layer.weight[:250] = 1.0
    layer.requires_grad_(False)
    noise = (seeded(layer, torch.eye(500, dtype=torch.float64)) - layer.bias).T - layer.weight
    variance = (0.2 * unit) ** 2
    assert abs(float(noise.var()) - variance) < SIGMA * variance * math.sqrt(2 / noise.numel())


def test_weight_noise_is_one_draw_for_the_batch() -> None:
    """Equal rows of a batch see one noisy matrix; the bias has noise where it is asked for, and a draw of its own.

    Broken on purpose: a bias that draws at the weight's address.
    """
    x = torch.ones(5, 3)
    y = tn.nn.NoisyLinear(3, 2)(x)
    assert torch.equal(y, y[:1].expand_as(y))
    layer, zero = tn.nn.NoisyLinear(1, 20000, noise_std=0.5, noise_bias=True).requires_grad_(False), torch.zeros(1)
    noise = seeded(layer, zero) - layer.bias
    assert abs(float(noise.var()) - 0.25) < SIGMA * 0.25 * math.sqrt(2 / 20000)
    column = seeded(layer, zero + 1.0) - seeded(layer, zero) - layer.weight[:, 0]
    assert abs(float(torch.corrcoef(torch.stack([column, noise]))[0, 1])) < SIGMA / math.sqrt(20000)
    layer.noise_bias = False
    assert torch.equal(layer(zero), layer.bias)


def test_gradients_of_noisy_weights_are_the_noisy_matrixs() -> None:
    """dy/dx is the noisy matrix, dy/dW that of the identity; also through double backward."""
    layer = tn.nn.NoisyLinear(4, 3, noise_std=0.5, relative_to="rms", noise_bias=True, dtype=torch.float64)
    x = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    with torch.no_grad():
        bias = seeded(layer, torch.zeros(4, dtype=torch.float64))
        matrix = (seeded(layer, torch.eye(4, dtype=torch.float64)) - bias).T
    g = torch.randn(5, 3, dtype=torch.float64)
    found = torch.autograd.grad(seeded(layer, x), (x, layer.weight, layer.bias), g)
    for a, b in zip(found, (g @ matrix, g.T @ x, g.sum(0)), strict=True):
        torch.testing.assert_close(a, b)
    assert torch.autograd.gradgradcheck(lambda t: seeded(layer, t), x.detach()[:2].requires_grad_())


def test_noise_draws_each_examples_own() -> None:
    """Relative to each example's rms; equal examples get different noise."""
    x = torch.cat([torch.full((1, 1000), 1.0), torch.full((1, 1000), 100.0)])
    layer = tn.nn.Noise(tn.Gaussian(0.1, relative_to="rms"))
    noise = (seeded(layer, x) - x) / x
    assert ((noise.std(1) - 0.1).abs() < 4.5 * 0.1 / math.sqrt(2 * 1000)).all()
    assert not torch.allclose(noise[0], noise[1], atol=1e-3)


@pytest.mark.parametrize("side", ["input", "output"])
def test_linear_has_its_noise_at_one_side(side: str) -> None:
    layer, x = tn.nn.Linear(4, 3, noise=tn.Gaussian(0.5), side=side), torch.ones(2, 4)
    noise = tn.nn.Noise(tn.Gaussian(0.5))
    plain = nn.functional.linear
    if side == "input":
        expected = plain(seeded(noise, x), layer.weight, layer.bias)
    else:
        expected = seeded(noise, plain(x, layer.weight, layer.bias))
    assert same(seeded(layer, x), expected)


def test_settings_may_change_between_forwards() -> None:
    layer, x = tn.nn.GaussianNoise(0.1), torch.zeros(1000)
    small = seeded(layer, x)
    layer.std = 0.2
    torch.testing.assert_close(seeded(layer, x), 2 * small)


def test_salt_and_pepper() -> None:
    """Shares of 0 and 1 within 4.5 sigma: a false alarm in 73,000; all others keep their bits."""
    x = signal().float()
    y = seeded(tn.nn.SaltAndPepperNoise(0.3, low=100.0, high=200.0), x)
    spread = SIGMA * math.sqrt(0.15 * 0.85 / N)
    for end in (100.0, 200.0):
        assert abs(float((y == end).double().mean()) - 0.15) < spread
    assert same(torch.where(y < 50.0, y, x), x)
