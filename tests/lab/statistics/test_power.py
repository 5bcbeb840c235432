"""What a comparison could have seen, against scipy's noncentral t and against simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from torchnoise.lab.statistics import Estimate, Spread, detectable, more_seeds
from torchnoise.lab.statistics.power import needed, with_seeds
from torchnoise.lab.statistics.squares import spread_of

PURE = Spread(5, 400, by_seeds=200.0, by_examples=1.0, residual=1.0)  # a t test over seeds
MIXED = Spread(5, 719, by_seeds=190.0, by_examples=356.0, residual=141.0)  # as digits have it


def test_a_t_tests_power():
    found = detectable(Estimate(0.0, (), PURE))
    error, critical = PURE.standard_error, stats.t.ppf(0.975, 4)
    assert stats.nct.sf(critical, 4, found / error) == pytest.approx(0.8, abs=1e-6)


def test_with_many_seeds_it_is_the_normal_distributions():
    assert needed(1.959964, 1.0) == pytest.approx(stats.norm.ppf(0.975) + stats.norm.ppf(0.8), abs=1e-4)
    assert needed(2.0, 1.0) == pytest.approx(stats.norm.ppf(0.8) + 2.0, abs=0.03)


def test_more_power_and_more_confidence_need_more():
    base = detectable(Estimate(0.0, (), MIXED))
    assert detectable(Estimate(0.0, (), MIXED), power=0.9) > base
    assert detectable(Estimate(0.0, (), MIXED, confidence=0.99)) > base


def test_nothing_that_scatters_hides_nothing():
    assert detectable(Estimate(0.0, (), Spread(2, 2, 0.0, 0.0, 0.0))) == 0.0


def test_a_difference_so_large_is_found_four_times_in_five():
    """The mean of what comparisons call detectable, planted: 2000 draws know the share to 0.9 points. What is allowed
    beyond chance is the approximation, 3 points."""
    draw = np.random.default_rng(9)

    def comparison(effect):
        d = draw.standard_normal((5, 60)) + 0.15 * draw.standard_normal((5, 1)) + 0.5 * draw.standard_normal(60)
        return d.mean() + effect, spread_of(d)

    effect = np.mean([detectable(Estimate(0.0, (), comparison(0.0)[1])) for _ in range(500)])
    found = [mean > spread.half_width(0.05) for mean, spread in (comparison(effect) for _ in range(2000))]
    assert 0.75 < np.mean(found) < 0.85


def test_more_seeds_is_the_least_number_that_will_do():
    for effect in (2.0, 1.0, 0.7):
        wanted = more_seeds(MIXED, effect)
        assert detectable(Estimate(0.0, (), with_seeds(MIXED, wanted))) <= effect
        assert wanted == 2 or detectable(Estimate(0.0, (), with_seeds(MIXED, wanted - 1))) > effect


def test_the_test_set_is_a_limit():
    """With endless seeds what is left is the examples' part: (t + z) sqrt((356 - 141) / 5 / 719)."""
    limit = (1.96 + 0.84) * math.sqrt((356 - 141) / 5 / 719)
    assert more_seeds(MIXED, 0.98 * limit) is None
    assert more_seeds(MIXED, 1.05 * limit) > 40


def test_seeds_alone_do_it_where_examples_are_alike():
    assert more_seeds(PURE, detectable(Estimate(0.0, (), PURE))) == 5
    assert 10 <= more_seeds(PURE, detectable(Estimate(0.0, (), PURE)) / 2) <= 20


def test_what_is_not_seen_is_a_limit_too():
    spread = Spread(5, 100, 1.0, 1.0, 1.0, unseen=1.386)
    assert more_seeds(spread, 3.8) is None
    assert more_seeds(spread, 4.0) == 3
