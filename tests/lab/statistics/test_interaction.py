"""Whether effects add up, where the truth is known."""

import numpy as np
import pytest

from torchnoise.lab.statistics import ADDS_UP, OVERLAPS, REINFORCES, UNTOLD, adds_up, interaction_of, interactions_of


def scores(interaction, examples=400, noise=0.01):
    """R2-like scores: first adds 3 points, second 2, both together so many more."""
    draw = np.random.default_rng(17)
    clean = draw.random((5, examples))
    first, second = clean + 0.03, clean + 0.02
    both = clean + 0.05 + interaction / 100
    jitter = noise * draw.standard_normal((4, 5, examples))
    return both + jitter[0], first + jitter[1], second + jitter[2], clean + jitter[3]


@pytest.mark.parametrize(("truth", "word"), [(0.0, ADDS_UP), (-2.0, OVERLAPS), (2.0, REINFORCES)])
def test_what_is_there_is_seen(truth, word):
    found, said = interaction_of(*scores(truth))
    assert said == word
    assert found.low <= truth <= found.high


def test_too_small_a_comparison_cannot_tell():
    """No proof that they add up: the interval is wider than the margin."""
    assert interaction_of(*scores(0.0, examples=10, noise=0.2))[1] == UNTOLD


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (-0.4, 0.3, ADDS_UP),
        (0.1, 0.4, ADDS_UP),  # there is an interaction, and it is too small to matter
        (-0.5, 0.3, UNTOLD),
        (-3.0, 0.1, UNTOLD),
        (-3.0, 0.0, OVERLAPS),
        (0.0, 0.6, REINFORCES),
    ],
)
def test_words(low, high, word):
    assert adds_up(low, high) == word


def test_several_are_a_family():
    tables = scores(0.3)
    alone, _ = interaction_of(*tables)
    both, first, second, clean = tables
    pairs = interactions_of({"a": (both, first, second), "b": (both, first, second)}, clean)
    assert pairs["a"][0].low < alone.low
    assert pairs["a"][0].p_adjusted == pytest.approx(2 * alone.p)


def test_the_margin_shrinks_with_the_effects():
    """Two effects of 0.2 points of which one goes are no sum, though 0.2 is less than the margin."""
    draw = np.random.default_rng(0)
    clean = draw.standard_normal((5, 400))
    jitter = 0.0001 * draw.standard_normal((3, 5, 400))
    both, first, second = (clean + 0.002 + one for one in jitter)
    assert interaction_of(both, first, second, clean)[1] == OVERLAPS
    assert interaction_of(both + 0.002, first, second, clean)[1] == ADDS_UP
