"""A comparison that fits in a given time."""

import pytest

from torchnoise.lab.budget import LEVELS, fitted, in_words, runs_of, seconds_of
from torchnoise.lab.settings import Settings


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("10m", 600), ("1.5h", 5400), ("2H", 7200)])
def test_times(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "m", "-3m", "0s", "infh", "10 minutes", "nans"])
def test_no_times(text):
    with pytest.raises(ValueError, match=r"--budget .*allowed"):
        seconds_of(text)


def test_more_time_is_never_less_work():
    found = [fitted(Settings(), 7, 3, 1.0, budget, 2) for budget in (60, 100, 200, 400, 1000, 10_000, 100_000)]
    runs = [runs_of(one, 7, 3) for one in found]
    assert runs == sorted(runs)
    assert runs[0] < runs[-1]
    levels = [runs_of(Settings(rungs=r, rounds=s, combine=c, seeds=n), 7, 3) for r, s, c, n in LEVELS]
    assert levels == sorted(levels)


def test_too_little_time_says_how_much_it_takes():
    with pytest.raises(ValueError, match=r"about \d+ min, allowed: so much or more"):
        fitted(Settings(), 7, 3, 60.0, 30.0, 2)


def test_what_was_asked_for_stays():
    assert not fitted(Settings(combine=False, seed=3), 7, 3, 0.1, 600.0, 2).combine
    assert fitted(Settings(seed=3), 7, 3, 0.1, 600.0, 2).seed == 3


def test_words():
    assert [in_words(s) for s in (30, 600, 7200)] == ["30 s", "10 min", "2.0 h"]
