"""Every source has the distribution that its name promises.

The Kolmogorov-Smirnov and chi-square tests have fixed seeds and refuse p-values below 1e-4: with some 25 of them, a
right library would have had one chance in 400 of a false alarm when they were written.
"""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch
from cases import at_identity, data, same
from scipy import stats
from torch import Tensor, nn

import torchnoise as tn
from torchnoise import oracle
from torchnoise.noise import RandomNoise
from torchnoise.oracle import Static
from torchnoise.sources.colored import colour_filter, convolve
from torchnoise.streams.counts import SMALL, expanded, inverted, normal_quantile
from torchnoise.streams.exponential import expm1

ALARM = 1e-4


def drawn(noise: RandomNoise, count: int = 200_000, seed: int = 0) -> np.ndarray:
    """What a noise adds to zeros, or makes of ones."""
    x = torch.ones(8, count // 8) if noise.combine == "multiply" else torch.zeros(8, count // 8)
    return tn.noisy(x, noise, tn.address(seed, examples=8)).double().flatten().numpy()


@pytest.mark.parametrize(
    ("noise", "law"),
    [
        (tn.Gaussian(0.5), stats.norm(scale=0.5)),
        (tn.Uniform(0.5), stats.uniform(-0.5, 1.0)),
        (tn.Laplace(0.5), stats.laplace(scale=0.5)),
        (tn.StudentT(0.5, df=1), stats.cauchy(scale=0.5)),
        (tn.StudentT(0.5, df=2.5), stats.t(2.5, scale=0.5)),
        (tn.StudentT(0.5, df=4), stats.t(4, scale=0.5)),
        (tn.StudentT(0.5, df=1e6), stats.norm(scale=0.5)),
        (tn.LogNormal(0.5), stats.lognorm(0.5, scale=np.exp(-0.125))),
        (tn.LogNormal(0.5, keep="median"), stats.lognorm(0.5)),
        (tn.Speckle(0.5), stats.norm(1.0, 0.5)),
        (tn.GaussianDropout(0.2), stats.norm(1.0, 0.5)),
    ],
    ids=str,
)
def test_distribution(noise: RandomNoise, law) -> None:
    """Broken on purpose: Student's t with its second word taken from the same block as the first (red for df=1)."""
    assert stats.kstest(drawn(noise), law.cdf).pvalue > ALARM


@pytest.mark.parametrize("noise", [tn.Laplace(1.0), tn.StudentT(1.0, df=3), tn.Rademacher(1.0)], ids=str)
def test_neighbours_are_independent(noise: RandomNoise) -> None:
    """Of signs, of sizes and of how far sizes are from the usual, each with each, within 4.5 sigma.

    Seven false alarms in a million for each of 135 numbers. Broken on purpose: Student's t whose second word is its
    neighbour's first, so that both are exactly t, and one's sign tells the other's size.
    """
    values = drawn(noise)
    sizes = np.log(np.abs(values) + 1e-9)
    kinds = [each for each in (np.sign(values), sizes, np.abs(sizes - np.median(sizes))) if each.std() > 1e-9]
    kinds = [(each - each.mean()) / each.std() for each in kinds]
    for first in kinds:
        for second in kinds:
            for lag in (1, 2, 3, 4, 5):
                assert abs((first[lag:] * second[:-lag]).mean()) < 4.5 / len(values) ** 0.5


def test_signs_and_ends_have_equal_chances() -> None:
    """Within 4 sigma; low and high stay what they are at every probability."""
    signs = drawn(tn.Rademacher(0.25))
    assert set(np.unique(signs)) == {-0.25, 0.25}
    assert abs(signs.mean()) < 4 * 0.25 / len(signs) ** 0.5

    x, at = torch.full((4, 50_000), 7.0), tn.address(examples=4)
    few, many = (tn.noisy(x, tn.SaltAndPepper(p, low=-2, high=3), at) for p in (0.1, 0.6))
    assert set(many.unique().tolist()) == {-2.0, 3.0, 7.0}
    assert same(many[few != 7], few[few != 7])
    salt, pepper = (many == 3).sum(), (many == -2).sum()
    assert abs(int(salt - pepper)) < 4 * float(salt + pepper) ** 0.5


# -- closed forms ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_gaussian_dropout_has_dropouts_variance(p: float) -> None:
    """Both forms against p / (1 - p) x^2, and against dropout itself, within 4.5 sigma on 400,000 elements."""
    x = torch.tensor([0.5, -2.0]).repeat_interleave(200_000).view(2, -1)
    for noise, kurtosis in (
        (tn.GaussianDropout(p), 3.0),
        (tn.GaussianDropout(p, combine="add", relative_to="abs"), 3.0),
        (tn.Gaussian((p / (1 - p)) ** 0.5, relative_to="abs"), 3.0),
        (tn.Bernoulli(p), (1 - 3 * p * (1 - p)) / (p * (1 - p))),
    ):
        for row, clean in zip(tn.noisy(x, noise, tn.address(examples=2)).double(), x, strict=True):
            expected = p / (1 - p) * float(clean[0]) ** 2
            noise_of = row - clean.double()
            n = len(noise_of)
            assert abs(noise_of.mean()) < 4.5 * (expected / n) ** 0.5
            assert abs(noise_of.square().mean() - expected) < 4.5 * expected * ((kurtosis - 1) / n) ** 0.5 + 1e-6


def test_expm1() -> None:
    """Against torch's, to 1e-13 of the result. Broken on purpose: a series one term shorter (8e-13)."""
    x = torch.cat([torch.linspace(-40, 88, 20_001), torch.logspace(-18, 0, 500), -torch.logspace(-18, 0, 500)]).double()
    assert ((expm1(x) - torch.expm1(x)).abs() <= 1e-13 * torch.expm1(x).abs()).all()


def test_normal_quantile() -> None:
    """Within 1e-6 of SciPy's, at every 97th value that it may get. Broken on purpose: w - 3 for w - 5/2."""
    v = (torch.arange(0, 1 << 24, 97, dtype=torch.float64) * 2 + 1) * 2.0**-24 - 1
    expected = torch.from_numpy(stats.norm.ppf((1 + v.numpy()) / 2))
    assert (normal_quantile(v.to(torch.float32)) - expected).abs().max() < 1e-6


@pytest.mark.parametrize("rate", [0.0, 0.3, 3.0, 7.9])
def test_small_counts_are_exact(rate: float) -> None:
    """The smallest k with F(k) > u, for u on a grid. Broken on purpose: terms divided by k + 1."""
    u = (torch.arange(4096, dtype=torch.float64) + 0.5) / 4096
    expected = stats.poisson.ppf(u.numpy(), rate) if rate else np.zeros(4096)
    assert np.array_equal(inverted(2 * u - 1, torch.full_like(u, rate)).numpy(), expected)


def test_a_count_begins_where_the_one_before_it_ends() -> None:
    """At rate ln 2 no count has probability 1/2 exactly, and u = 1/2 is the first that counts one.

    Broken on purpose: `u > reached`, which no grid of halves would notice.
    """
    v, rate = (torch.tensor([v], dtype=torch.float64) for v in (0.0, np.log(2.0)))
    assert inverted(v, rate).tolist() == [1.0]


@pytest.mark.parametrize("rate", [SMALL, 20.0, 1000.0])
def test_large_counts_are_nearly_exact(rate: float) -> None:
    """At most 1e-4 of probability goes to another count, as the docstring says."""
    u = (np.arange(2**18) + 0.5) / 2**18
    z = torch.from_numpy(stats.norm.ppf(u))
    found = expanded(z, torch.full_like(z, rate)).numpy()
    for k in np.unique(found):
        assert abs((found <= k).mean() - stats.poisson.cdf(k, rate)) < 1e-4 + 2**-18


@pytest.mark.parametrize("x", [0.02, 0.4, -3.0])
def test_poisson_counts(x: float) -> None:
    """Mean x, variance s^2 |x|, and the counts themselves by chi-square."""
    s, n = 0.25, 200_000
    out = tn.noisy(torch.full((8, n // 8), x), tn.Poisson(s), tn.address(examples=8)).double().flatten()
    counts = (out.abs() / s**2).round().numpy()
    assert np.allclose(counts * s**2 * np.sign(x), out, atol=1e-6)
    rate = abs(x) / s**2
    edges = np.arange(int(counts.max()) + 2)
    expected = np.append(stats.poisson.pmf(edges[:-1], rate), stats.poisson.sf(edges[-2], rate)) * n
    observed = np.append(np.bincount(counts.astype(int), minlength=len(edges) - 1), 0.0)
    common = expected >= 5
    rest_seen, rest_due = observed[~common].sum(), expected[~common].sum()
    observed, expected = np.append(observed[common], rest_seen), np.append(expected[common], rest_due)
    assert stats.chisquare(observed, expected * observed.sum() / expected.sum()).pvalue > ALARM


@pytest.mark.parametrize("dark", [0, 1])
def test_poisson_counts_of_neighbours_are_independent(dark: int) -> None:
    """Also where one is inverted and the other expanded: means of 5 beside means of 100, within 4.5 sigma.

    Broken on purpose: the normal deviate of a bright pixel by Box-Muller, whose length or angle is its neighbour's word
    (a correlation of -0.66 between a dark count and how far the bright one is from its mean).
    """
    n, s = 400_000, 0.1
    x = torch.tensor([0.05, 1.0] if dark == 0 else [1.0, 0.05]).repeat(8, n // 8)
    counts = (tn.noisy(x, tn.Poisson(s), tn.address(examples=8)).double() / s**2).round().view(-1, 2).numpy()
    few, many = counts[:, dark], counts[:, 1 - dark]
    for other in (many, np.abs(many - 100)):
        assert abs(np.corrcoef(few, other)[0, 1]) < 4.5 / n**0.5


def test_poisson_in_float64() -> None:
    """x is s^2 times a whole number to float64's precision, and 0 where nothing was counted: never a little less."""
    x = torch.linspace(0, 0.3, 4000, dtype=torch.float64).view(4, 1000)
    out = tn.noisy(x, tn.Poisson(0.125), tn.address(examples=4)) / 0.125**2
    assert ((out - out.round()).abs() < 1e-12).all()
    assert (out >= 0).all()
    assert (out == 0).any()


def test_poisson_at_either_end() -> None:
    """Strengths whose squares float32 does not hold; signals that are not finite."""
    x = torch.ones(4, 20_000, dtype=torch.float64)
    noise = tn.noisy(x, tn.Poisson(1e-8), tn.address(examples=4)) - x
    assert float(noise.std()) == pytest.approx(1e-8, rel=0.02)  # 5 sigma
    for strength in (1e-40, 1e30):
        assert tn.noisy(x, tn.Poisson(strength), tn.address(examples=4)).isfinite().all()
    odd = torch.tensor([[float("inf"), float("-inf"), float("nan"), -0.0]])
    assert torch.equal(tn.noisy(odd, tn.Poisson(0.1), tn.address()).nan_to_num(7), odd.nan_to_num(7))


def test_poisson_lets_gradients_through() -> None:
    x = torch.rand(3, 5, requires_grad=True)
    tn.noisy(x, tn.Poisson(0.2), tn.address(examples=3)).sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, torch.ones(3, 5))


# -- coloured noise ----------------------------------------------------------------------------------------------------


def test_whole_numbers_are_convolved_exactly() -> None:
    """By FFT and by hand, in Python's integers. Broken on purpose: no round() after the inverse transform."""
    generator = torch.Generator().manual_seed(0)
    for length in (2, 7, 64, 257):
        z = torch.randint(-(2**18), 2**18, (length,), generator=generator).double()
        taps = colour_filter(length, 1.5)
        by_hand = [sum(int(z[j]) * int(taps[(i - j) % length]) for j in range(length)) for i in range(length)]
        assert convolve(z, taps).tolist() == by_hand


@pytest.mark.parametrize("exponent", [-1.0, 0.0, 1.0, 2.0])
def test_the_spectrum_falls_as_a_power(exponent: float) -> None:
    """The slope of the mean power over 400 draws of 512, by logarithms; the variance is the same everywhere."""
    noise = tn.Colored(1.0, exponent)
    out = tn.noisy(torch.zeros(400, 512), noise, tn.address(examples=400)).double()
    power = torch.fft.rfft(out).abs().square().mean(0)[1:-1]
    frequency = torch.arange(1, 256).double()
    slope = np.polyfit(frequency.log().numpy(), power.log().numpy(), 1)[0]
    assert abs(slope + exponent) < 0.03  # 4 sigma of a fit to 255 values with 5 % each
    assert abs(out.square().mean(0) - 1).max() < 5.5 * (2 / 400) ** 0.5  # the largest of 512 at 5.5 sigma: 2e-5


def test_coloured_noise_along_a_named_axis() -> None:
    """The same along any axis, apart from which words are whose."""
    x = torch.zeros(3, 64, 5)
    out = tn.noisy(x, tn.Colored(1.0, "brown", axis=1), tn.address(examples=3))
    steps = (out[:, 1:] - out[:, :-1]).square().mean()
    across = (out[:, :, 1:] - out[:, :, :-1]).square().mean()
    assert steps < 0.1 * across
    for axis in (0, 3, -4):
        with pytest.raises(IndexError, match="axis"):
            tn.noisy(x, tn.Colored(1.0, axis=axis), tn.address(examples=3))


@pytest.mark.parametrize("noise", [tn.Colored(0.3, "pink", axis=-2)], ids=str)
def test_sources_without_a_kernel_do_not_see_strides(noise: RandomNoise) -> None:
    """The same bits for every layout in memory."""
    x = data(6, 40).view(2, 3, 40).abs()
    static, at = Static(noise, "add", 0), tn.address(examples=2)
    expected = oracle.perturb(x, static, torch.tensor(0.3), at, None, None)
    for other in (x.transpose(1, 2).contiguous().transpose(1, 2), torch.stack([x, x], -1)[..., 0]):
        assert other.stride() != x.stride()
        assert same(tn.noisy(other, noise, at), expected)


def test_the_filter_is_kept_on_the_cpu() -> None:
    """Whatever the default device is when it is first asked for. Broken on purpose: no device= in colour_filter."""
    colour_filter.cache_clear()
    with torch.device("meta"):
        assert colour_filter(9, 1.0).device.type == "cpu"


# -- a user's own ------------------------------------------------------------------------------------------------------


def triangular(x: Tensor, generator: torch.Generator) -> Tensor:
    return torch.rand(x.shape, generator=generator) - torch.rand(x.shape, generator=generator)


def test_custom_noise() -> None:
    """It repeats at the same step, resumes, moves on with the step, scales, and is refused in graphs."""
    x, model = data(4, 50), nn.Identity()
    plan = tn.Injection(tn.Custom(0.5, triangular), at=tn.Inputs())
    state = torch.random.get_rng_state()
    with tn.attach(model, plan) as noise:
        first = model(x)
        noise.step()
        second = model(x)
    with tn.attach(model, plan) as noise:
        assert same(model(x), first)
        noise.load_state_dict({**noise.state_dict(), "step": 1, "running": {"0": 0}})
        assert same(model(x), second)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not torch.equal(first, second)
    unit = at_identity(tn.Custom(1.0, triangular), x) - x
    assert torch.allclose(first - x, 0.5 * unit, atol=1e-6)
    assert (unit.abs() < 1).all()
    with tn.attach(model, plan), pytest.raises(Exception, match=r"without torch\.compile"):
        torch.compile(model, backend="eager", fullgraph=True)(x)
    with pytest.raises(TypeError, match="of x's shape"):
        at_identity(tn.Custom(1.0, lambda x, generator: torch.zeros(3)), x)


def test_custom_noise_in_copies() -> None:
    """A plan with it can be copied and pickled, where its function can; without one there is no noise."""
    noise = tn.Custom(0.5, triangular, combine="multiply")
    assert copy.deepcopy(noise) == noise == pickle.loads(pickle.dumps(noise))
    assert str(noise) == "Custom(0.5, combine='multiply', function=triangular)"
    with pytest.raises(TypeError, match="function"):
        tn.Custom(0.5)  # type: ignore[call-arg]


@pytest.mark.parametrize("combine", ["add", "multiply", "replace"])
def test_custom_noise_keeps_masked_bits_and_passes_gradients(combine: str) -> None:
    """Broken on purpose: `call.keep` not asked."""
    x = data(4, 9)
    x[0, :3] = torch.tensor([-0.0, float("inf"), float("nan")])
    noise = tn.Custom(0.5, triangular, combine=combine)
    out = at_identity(noise, x, dims=[4, 7])
    rest = [f for f in range(9) if f not in (4, 7)]
    assert same(out[:, rest], x[:, rest])
    assert (out[:, [4, 7]] != x[:, [4, 7]]).all()
    leaf = data(4, 9).requires_grad_()
    with tn.attach(nn.Identity(), tn.Injection(noise, at=tn.Inputs(), dims=[4, 7])) as attachment:
        attachment.model(leaf).sum().backward()
    assert leaf.grad is not None
    factor = at_identity(noise, torch.ones(4, 9), dims=[4, 7]) if combine == "multiply" else torch.ones(4, 9)
    if combine == "replace":
        factor[:, [4, 7]] = 0.0
    assert torch.allclose(leaf.grad, factor)
