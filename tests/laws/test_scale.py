"""Law 3: strength scales the noise and nothing else; strength 0 is x itself."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from cases import KINDS, Kind, at_identity, data, pair_name, same, sample_for

import torchnoise as tn
from torchnoise import oracle, perturb

linear = pytest.mark.parametrize("kind", [k for k in KINDS if k.scale == "linear"], ids=pair_name)
nested = pytest.mark.parametrize("kind", [k for k in KINDS if k.scale == "nested"], ids=pair_name)


@linear
def test_noise_is_strength_times_unit_noise(kind: Kind) -> None:
    """Exactly, in float32. Broken on purpose: a source that squares its strength."""
    from torchnoise.streams import Address

    at = Address(torch.tensor([5, 6]), torch.zeros((), dtype=torch.int64), torch.arange(3))
    static, zeros = oracle.Static(kind.noise, "replace", 0), torch.zeros(3, 1000)
    unit = oracle.draw(zeros, static, torch.tensor(1.0), at).values
    for strength in (0.1, 0.3, 7.0):
        s = torch.tensor(strength)
        assert same(oracle.draw(zeros, static, s, at).values, unit * s)

    def by_kernel(strength: float) -> torch.Tensor:
        return perturb.perturb(zeros, static, torch.tensor(strength), at)

    for strength in (0.1, 0.3, 7.0):
        assert same(by_kernel(strength), by_kernel(1.0) * torch.tensor(strength))


@nested
def test_hits_at_a_low_probability_are_hits_at_a_higher_one(kind: Kind) -> None:
    """Broken on purpose: a threshold that counts from the other end for p > 1/2."""
    from torchnoise.streams import Address

    zero = torch.zeros((), dtype=torch.int64)
    at = Address(torch.tensor([5, 6]), zero, torch.arange(3))
    static, x = oracle.Static(kind.noise, kind.noise.combine, 0), sample_for(kind, 3, 10_000)
    before = torch.zeros(x.shape, dtype=torch.bool)
    for p in (0.0, 0.01, 0.3, 0.6, 1.0):
        hit = oracle.draw(x, static, torch.tensor(p), at).hit
        assert hit is not None
        assert (hit | ~before).all()
        assert abs(hit.double().mean() - p) < 4 * (p * (1 - p) / hit.numel()) ** 0.5 + 1e-9  # 4 sigma
        before = hit
    if kind.whole_numbers:
        return
    x, before = torch.ones(3, 10_000), torch.zeros(3, 10_000, dtype=torch.bool)
    static = oracle.Static(kind.noise, kind.noise.combine, 0)
    for p in (0.01, 0.3, 0.6, 0.9):  # what runs: 1 stays 1, or grows where the mean is kept
        at = Address(torch.tensor([5, 6]), zero, torch.arange(3))
        out = perturb.perturb(x, static, torch.tensor(p), at)
        hit = out < 1 if kind.noise.combine == "multiply" else out != 1
        assert (hit | ~before).all()
        assert abs(hit.double().mean() - p) < 4 * (p * (1 - p) / hit.numel()) ** 0.5
        before = hit


@pytest.mark.parametrize("kind", KINDS, ids=pair_name)
def test_strength_zero_is_x_itself(kind: Kind) -> None:
    """Bit for bit, negative zeros included, eagerly and where the strength is only known as a tensor.

    Broken on purpose: `perturb` without its where(strength != 0).
    """
    noise = dataclasses.replace(kind.noise, strength=0.0)
    x = sample_for(kind)
    if x.is_floating_point():
        x[0, :4] = torch.tensor([-0.0, 0.0, float("inf"), float("nan")])
    assert same(at_identity(noise, x), x)

    from torchnoise.streams import Address

    zero = torch.zeros((), dtype=torch.int64)
    address = Address(torch.tensor([5, 6]), zero, torch.arange(8))
    static = oracle.Static(noise, noise.combine, 0)
    for form in (oracle.perturb, perturb.perturb):
        assert same(form(x, static, torch.tensor(0.0), address, None, None), x)


def test_realised_moments() -> None:
    """Means and variances of a million elements within 4 sigma: one false alarm in 15,000 for each line."""
    x = torch.ones(1000, 1000)
    n = x.numel()
    for noise, variance, fourth in (
        (tn.Gaussian(0.5), 0.25, 3 * 0.25**2),
        (tn.Gaussian(0.5, combine="multiply"), 0.25, 3 * 0.25**2),
        (tn.Uniform(0.5), 0.25 / 3, 0.5**4 / 5),
        (tn.Bernoulli(0.2), 0.2 / 0.8, None),
    ):
        drawn = (at_identity(noise, x) - 1).double()
        assert abs(drawn.mean()) < 4 * (variance / n) ** 0.5
        if fourth is not None:
            assert abs(drawn.square().mean() - variance) < 4 * ((fourth - variance**2) / n) ** 0.5


@pytest.mark.parametrize(("relative", "unit"), [("abs", 2.0), ("rms", 2.0), ("std", 0.0)])
def test_relative_to(relative: str, unit: float) -> None:
    """A constant example of value 2: |x| and rms are 2, its standard deviation is 0."""
    x = torch.full((1, 400), 2.0)
    absolute = at_identity(tn.Gaussian(unit * 0.1), x)
    torch.testing.assert_close(at_identity(tn.Gaussian(0.1, relative_to=relative), x), absolute)


def test_magnitudes_are_per_example() -> None:
    """An example's noise does not depend on who else is in the batch."""
    x = data(4, 30)
    loud = x.clone()
    loud[1:] *= 1000
    for relative in ("rms", "std"):
        noise = tn.Gaussian(0.1, relative_to=relative)
        assert same(at_identity(noise, x)[0], at_identity(noise, loud)[0])
