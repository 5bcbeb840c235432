"""Paired differences: what they are made of, and what is refused."""

import math

import numpy as np
import pytest

from torchnoise.lab.statistics import contrast, paired_difference


def scores(seeds=4, examples=30, number=0):
    return (np.random.default_rng([21, number]).random((2, seeds, examples)) < 0.8).astype(float)


def test_mean_and_seeds():
    noisy, clean = scores()
    found = paired_difference(noisy, clean)
    assert found.by_seed == pytest.approx(tuple(100 * (noisy - clean).mean(1)))
    assert found.mean == pytest.approx(100 * (noisy - clean).mean())
    assert found.high - found.mean == pytest.approx(found.mean - found.low)
    assert found.low < found.mean - found.standard_error


def test_the_other_way_round_is_the_negative():
    noisy, clean = scores()
    one, other = paired_difference(noisy, clean), paired_difference(clean, noisy)
    assert (one.mean, one.low, one.p) == pytest.approx((-other.mean, -other.high, other.p))


def test_what_belongs_to_a_seed_or_an_example_in_both_drops_out():
    draw = np.random.default_rng(4)
    noisy, clean = draw.standard_normal((2, 3, 8))
    shared = draw.standard_normal((3, 1)) + draw.standard_normal((1, 8))
    one, other = paired_difference(noisy, clean), paired_difference(noisy + shared, clean + shared)
    assert (one.mean, one.p) == pytest.approx((other.mean, other.p))


def test_p_and_interval_agree():
    for number in range(40):
        found = paired_difference(*scores(number=number))
        assert (found.p < 0.05) == (found.low > 0 or found.high < 0)


def test_equal_predictions_are_no_certainty():
    """None of 719 examples changed: as many as 3 / 719 still may (the rule of three), 0.42 points."""
    _, clean = scores(5, 719)
    found = paired_difference(clean, clean)
    assert (found.mean, found.p) == (0.0, 1.0)
    assert found.high == pytest.approx(0.385, abs=1e-3)
    assert found.spread.seeds_share == 0.0


@pytest.mark.parametrize("examples", [30, 100, 719])
@pytest.mark.parametrize(("count", "proof"), [(5, False), (6, True)])
def test_five_changed_examples_prove_nothing_six_may(count, proof, examples):
    """All change the same way, in every seed: by an exact test of signs 5 have p = 2 / 2^5, and 6 half of that."""
    clean = np.zeros((5, examples))
    noisy = clean.copy()
    noisy[:, :count] = 1.0
    assert (paired_difference(noisy, clean).low > 0.0) == proof


def test_numbers_without_steps_have_nothing_added():
    clean = np.linspace(-3.0, 1.0, 12).reshape(3, 4)
    assert paired_difference(clean, clean).high == 0.0


def test_bools_will_do():
    noisy, clean = scores()
    assert paired_difference(noisy.astype(bool), clean.astype(bool)) == paired_difference(noisy, clean)


def test_a_contrast_of_four():
    draw = np.random.default_rng(8)
    a, b, c, d = draw.standard_normal((4, 3, 5))
    found = contrast([(1.0, a), (-1.0, b), (-1.0, c), (1.0, d)])
    assert found.mean == pytest.approx(100 * float((a - b - c + d).mean()))


@pytest.mark.parametrize(
    ("noisy", "clean", "words"),
    [
        (np.zeros((2, 3)), np.zeros((3, 3)), "the same"),
        (np.zeros(3), np.zeros(3), "the same"),
        (np.zeros((1, 3)), np.zeros((1, 3)), "1 seeds and 3 examples, allowed: at least 2 of each"),
        (np.zeros((3, 1)), np.zeros((3, 1)), "3 seeds and 1 examples, allowed: at least 2 of each"),
        (np.full((2, 2), math.nan), np.zeros((2, 2)), "not finite"),
    ],
)
def test_refused(noisy, clean, words):
    with pytest.raises(ValueError, match=words):
        paired_difference(noisy, clean)
