"""Mean squares and intervals against slow sums, scipy, and a bootstrap over seeds and examples."""

import math

import numpy as np
import pytest
from scipy import stats

from torchnoise.lab.statistics import Spread
from torchnoise.lab.statistics.squares import spread_of


def table(seeds, examples, number=0, spread=(1.0, 1.5, 2.0)):
    draw = np.random.default_rng([11, number])
    of_seeds, of_examples, rest = spread
    return (
        of_seeds * draw.standard_normal((seeds, 1))
        + of_examples * draw.standard_normal((1, examples))
        + rest * draw.standard_normal((seeds, examples))
    )


def slow_squares(d):
    """The analysis of variance, cell by cell."""
    seeds, examples = d.shape
    cells = [(s, i) for s in range(seeds) for i in range(examples)]
    grand = sum(d[c] for c in cells) / len(cells)
    row = [sum(d[s, i] for i in range(examples)) / examples for s in range(seeds)]
    column = [sum(d[s, i] for s in range(seeds)) / seeds for i in range(examples)]
    return (
        sum((row[s] - grand) ** 2 for s, _ in cells) / (seeds - 1),
        sum((column[i] - grand) ** 2 for _, i in cells) / (examples - 1),
        sum((d[s, i] - row[s] - column[i] + grand) ** 2 for s, i in cells) / ((seeds - 1) * (examples - 1)),
    )


@pytest.mark.parametrize(("seeds", "examples"), [(2, 2), (3, 7), (6, 4)])
def test_mean_squares_are_the_slow_sums(seeds, examples):
    d = table(seeds, examples)
    found = spread_of(d)
    assert (found.by_seeds, found.by_examples, found.residual) == pytest.approx(slow_squares(d), rel=1e-12)


def test_by_hand():
    """Rows 1 3 and 3 9: means 2, 6; columns 2, 6; grand 4. Seeds 4*2*2 = 16, examples 16, residuals of 1: 4."""
    found = spread_of(np.array([[1.0, 3.0], [3.0, 9.0]]))
    assert (found.by_seeds, found.by_examples, found.residual) == (16.0, 16.0, 4.0)
    assert found.standard_error == pytest.approx(math.sqrt((16 + 16 - 4) / 4))
    assert found.seeds_share == pytest.approx(16 / 28)
    assert found.examples_share == pytest.approx((4 + 12) / 28)


def test_the_mean_squares_say_what_a_bootstrap_over_seeds_and_examples_finds():
    """Seeds and examples drawn anew (Owen's pigeonhole bootstrap) give the variance of the mean that the same mean
    squares predict for it. It is no substitute: it counts the residual three times, and of the seeds' chance only
    (S - 1) / S.

    4000 draws know a variance to 2.2 %; a false alarm at 5 of these is one in a million, and the seed is fixed.
    """
    d = table(5, 40, number=1)
    draw, found = np.random.default_rng(5), spread_of(d)
    means = [d[np.ix_(draw.integers(0, 5, 5), draw.integers(0, 40, 40))].mean() for _ in range(4000)]
    shares = (found.by_seeds * 4 / 5, found.by_examples * 39 / 40, found.residual * (4 * 39) / (5 * 40))
    assert np.var(means) == pytest.approx(sum(shares) / (5 * 40), rel=0.11)


def test_where_examples_are_all_alike_it_is_the_paired_t_test():
    """The residual is below the seeds' mean square and above the examples': nothing but the seeds' means counts."""
    found = Spread(5, 100, by_seeds=50.0, by_examples=3.0, residual=4.0)
    half = stats.t.ppf(0.975, 4) * math.sqrt(50.0 / 500)
    assert found.half_width(0.05) == pytest.approx(half, rel=1e-12)
    p = 2 * stats.t.sf(0.9 / math.sqrt(50.0 / 500), 4)
    assert found.p_of(0.9) == pytest.approx(p, rel=1e-9)


def test_howes_interval():
    """Each part of the variance with its own quantile; a fifth of the examples' 40 degrees would change it visibly."""
    found = Spread(4, 41, by_seeds=30.0, by_examples=22.0, residual=10.0)
    of_seeds, of_examples = stats.t.ppf(0.975, 3) ** 2 * 30.0, stats.t.ppf(0.975, 40) ** 2 * 12.0
    assert found.half_width(0.05) == pytest.approx(math.sqrt((of_seeds + of_examples) / (4 * 41)), rel=1e-12)


@pytest.mark.parametrize("mean", [0.01, 0.4, -1.3, 6.0, 80.0])
def test_p_is_where_the_interval_ends_at_0(mean):
    found = spread_of(table(3, 9, number=2))
    p = found.p_of(mean)
    assert 0.0 < p < 1.0
    assert found.half_width(p) == pytest.approx(abs(mean), rel=1e-9)


def test_seeds_that_agree_by_chance_give_no_point():
    """Equal means in both seeds, but examples that scatter: the residual stands for the seeds."""
    d = np.array([[1.0, -1.0, 2.0, -2.0], [-1.0, 1.0, -2.0, 2.0]])
    found = spread_of(d)
    assert found.by_seeds == found.by_examples == 0.0
    assert found.standard_error == pytest.approx(math.sqrt(found.residual / 8))
    assert found.half_width(0.05) > found.standard_error


def test_what_is_not_seen_counts():
    found = Spread(5, 100, 0.0, 0.0, 0.0, unseen=1.4)
    assert found.standard_error == pytest.approx(1.4)
    assert found.half_width(0.05) == pytest.approx(1.4 * stats.t.ppf(0.975, 99))
    assert (found.seeds_share, found.examples_share) == (0.0, 1.0)
    assert found.p_of(0.0) == 1.0


def test_no_scatter_at_all():
    found = Spread(2, 2, 0.0, 0.0, 0.0)
    assert (found.standard_error, found.half_width(0.05), found.p_of(0.0), found.p_of(1.0)) == (0.0, 0.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("seeds", "spread"),
    [(2, (0.0, 0.0, 1.0)), (3, (0.3, 0.5, 1.0)), (5, (0.1, 0.8, 1.0)), (5, (0.5, 0.0, 1.0)), (10, (0.2, 0.4, 1.0))],
)
def test_coverage(seeds, spread):
    """The interval holds the true mean, 0, at least 95 times in 100: 2000 draws know that to half a point, and 6.8 %
    of misses or more would come by chance once in 10,000 times.

    Broken on purpose: without the examples' part, (5, (0.1, 0.8, 1.0)) is red.
    """
    draw, missed = np.random.default_rng([3, seeds]), 0
    of_seeds, of_examples, rest = spread
    for _ in range(2000):
        d = rest * draw.standard_normal((seeds, 30)) + of_seeds * draw.standard_normal((seeds, 1))
        d += of_examples * draw.standard_normal(30)
        missed += abs(d.mean()) > spread_of(d).half_width(0.05)
    assert missed / 2000 < 0.068
