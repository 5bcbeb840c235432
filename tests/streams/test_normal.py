"""From words to normals: against float64, and as a distribution."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from torchnoise.streams import Address, normal, words


def by_definition(w: Tensor) -> Tensor:
    """Box-Muller in float64 with the library's own log, cos and sin: the slow and obvious form."""
    u = (w[..., 0::2].double() + 0.5) / 2**32
    angle = 2 * math.pi * w[..., 1::2].double() / 2**32
    radius = torch.sqrt(-2 * torch.log(u))
    return torch.stack((radius * torch.cos(angle), radius * torch.sin(angle)), -1).flatten(-2)


def sample(count: int, key: int = 1) -> Tensor:
    return words(Address(torch.tensor([key, 0]), torch.tensor(0), torch.tensor([0])), count)


def test_against_the_definition() -> None:
    """Within 2e-5 absolutely (tiny radii, where float32 of a word is coarse), and 1e-6 where |z| > 0.1."""
    w = sample(2_000_000)
    found, wanted = normal(w).double(), by_definition(w)
    error = (found - wanted).abs()
    assert error.max() < 2e-5
    assert (error / wanted.abs())[wanted.abs() > 0.1].max() < 5e-6


def test_edges() -> None:
    """The smallest and largest words give numbers; the largest deviate is 6.76."""
    top = 2**32 - 1
    w = torch.tensor([[0, 0, top, top], [top, 0, 0, 2**31], [2**31, 2**30, 1, 3 * 2**30]])
    z = normal(w)
    assert z.isfinite().all()
    assert z[0, 0] == pytest.approx(math.sqrt(2 * 33 * math.log(2)), rel=1e-6)
    assert z[1, 2] == -z[0, 0]


def test_radius_zero_has_one_sign() -> None:
    """Where U rounds to 1 the radius is +0, so that deviates are +0 or -0 as cosine and sine say, in every form."""
    w = torch.tensor([[2**32 - 1, 0, 2**32 - 1, 2**31]])
    assert torch.signbit(normal(w)).tolist() == [[False, False, True, True]]


def test_moments() -> None:
    """Moments 1 to 6 of 4 million draws, each within 4 standard errors: one false alarm in 15,000 for each."""
    z = normal(sample(4_000_000)).double().flatten()
    double_factorial = {2: 1, 4: 3, 6: 15, 8: 105, 10: 945, 12: 10395}
    for k in range(1, 7):
        wanted = double_factorial.get(k, 0)
        error = math.sqrt((double_factorial[2 * k] - wanted**2) / z.numel())
        assert abs(z.pow(k).mean() - wanted) < 4 * error


def test_distribution() -> None:
    """Kolmogorov-Smirnov at 1 million draws: sqrt(n) D below 2.2, whose chance to be exceeded is 1.3e-4."""
    z = normal(sample(1_000_000)).double().flatten().sort().values
    cdf = 0.5 * (1 + torch.erf(z / math.sqrt(2)))
    n = z.numel()
    steps = torch.arange(n + 1, dtype=torch.float64) / n
    gap = torch.maximum((cdf - steps[:-1]).abs().max(), (cdf - steps[1:]).abs().max())
    assert gap * math.sqrt(n) < 2.2


@pytest.mark.parametrize("lag", [1, 2, 3, 4, 5])
def test_neighbours_are_uncorrelated(lag: int) -> None:
    """Of values and of squares, within 4.5 standard errors."""
    z = normal(sample(1_000_000)).double().flatten()
    for v in (z, z.square() - 1):
        r = (v[:-lag] * v[lag:]).mean() / v.square().mean()
        assert abs(r) < 4.5 / math.sqrt(z.numel())


def test_adjacent_addresses_are_uncorrelated() -> None:
    """Neighbouring seeds, steps and examples: within 4.5 standard errors of 0."""
    zero, one = torch.tensor(0), torch.tensor(1)
    base = normal(words(Address(torch.tensor([1, 0]), zero, torch.tensor([0])), 400_000)).flatten().double()
    for other in (
        Address(torch.tensor([2, 0]), zero, torch.tensor([0])),
        Address(torch.tensor([1, 0]), one, torch.tensor([0])),
        Address(torch.tensor([1, 0]), zero, torch.tensor([1])),
        Address(torch.tensor([1, 1]), zero, torch.tensor([0])),
    ):
        z = normal(words(other, 400_000)).flatten().double()
        assert abs((z * base).mean()) < 4.5 / math.sqrt(z.numel())
