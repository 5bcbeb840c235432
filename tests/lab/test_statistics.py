"""Intervals, choices and verdicts against hand values and scipy."""

import math

import pytest
from scipy import stats

from torchnoise.lab.statistics import (
    HELPS,
    HURTS,
    UNSEEN,
    Interval,
    choose_noise,
    choose_strength,
    paired_differences,
    t_interval,
    verdict,
)


def test_interval_is_scipys():
    values = [0.3, 1.1, -0.4, 0.9, 0.2]
    low, high = stats.t.interval(0.95, len(values) - 1, loc=sum(values) / 5, scale=stats.sem(values))
    ours = t_interval(values)
    assert (ours.low, ours.high) == pytest.approx((low, high), rel=1e-12)
    assert ours.half_width == pytest.approx((high - low) / 2)


def test_interval_by_hand():
    # s = 1, n = 3: half width = t(0.975, 2) / sqrt(3) = 4.302653 / 1.732051
    assert t_interval([1.0, 2.0, 3.0]).half_width == pytest.approx(4.302652729911275 / math.sqrt(3))


def test_equal_values_are_no_certainty():
    interval = t_interval([0.1, 0.1], resolution=0.2)
    assert interval.half_width > 0.2
    assert verdict(interval) == UNSEEN


def test_one_value_has_no_interval():
    with pytest.raises(ValueError, match="at least 2"):
        t_interval([1.0])


def test_interval_excludes_zero_under_the_paired_t_test():
    noisy, clean = [0.97, 0.96, 0.98, 0.97, 0.965], [0.96, 0.955, 0.962, 0.958, 0.961]
    p_value = stats.ttest_rel(noisy, clean).pvalue
    assert (verdict(t_interval(paired_differences(noisy, clean))) == HELPS) == (p_value < 0.05)


@pytest.mark.parametrize(
    ("low", "high", "word"), [(0.1, 2.0, HELPS), (-2.0, -0.1, HURTS), (-0.1, 2.0, UNSEEN), (0.0, 1.0, UNSEEN)]
)
def test_verdict(low, high, word):
    assert verdict(Interval((low + high) / 2, low, high)) == word


def test_ties_go_to_the_weaker_strength():
    assert choose_strength({0.3: [0.9, 0.8], 0.1: [0.8, 0.9], 0.2: [0.7, 0.7]}) == 0.1


def test_a_mean_that_differs_in_its_last_bit_is_a_tie():
    assert choose_strength({0.1: [0.1, 0.2, 0.3], 0.2: [0.3, 0.2, 0.1 + 1e-16]}) == 0.1


def test_diverged_is_never_chosen():
    assert choose_strength({0.1: [0.5], 0.2: None}) == 0.1
    assert choose_strength({0.1: None}) is None
    assert choose_noise({"a": None, "b": [0.4], "c": [0.4]}) == "b"
    assert choose_noise({"a": None}) is None
