"""A comparison that fits in a given time."""

import pytest

from torchnoise.lab.budget import OF_FINALS, SEARCHES, SEEDS, in_words, runs_of, seconds_of, with_search, with_seeds
from torchnoise.lab.search import runs_in
from torchnoise.lab.settings import Settings


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("10m", 600), ("1.5h", 5400), ("2H", 7200)])
def test_times(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "m", "-3m", "0s", "infh", "10 minutes", "nans"])
def test_no_times(text):
    with pytest.raises(ValueError, match=r"--budget .*allowed"):
        seconds_of(text)


def fitted(budget, seconds=1.0, noises=7, partners=3, **asked):
    settings = with_search(Settings(**asked), noises, seconds, budget, 2)
    searched = [2 * seconds] * runs_in(noises, settings.rungs, settings.rounds)
    return with_seeds(settings, noises, partners, searched, budget, 2)


def test_more_time_is_never_less_work():
    found = [fitted(budget) for budget in (100, 200, 400, 1000, 10_000, 100_000)]
    runs = [runs_of(one, 7, 3) for one in found]
    assert runs == sorted(runs)
    assert runs[0] < runs[-1]
    searches = [runs_in(7, *search) for search in SEARCHES]
    assert searches == sorted(searches)


@pytest.mark.parametrize("budget", [200, 600, 3600])
def test_it_takes_about_as_long(budget):
    """Where noisy runs take twice a clean one's time, and finals with their measures as much more as is reckoned."""
    one = fitted(budget)
    search = runs_in(7, one.rungs, one.rounds)
    seconds = (2.0 * search + 2.0 * OF_FINALS * (runs_of(one, 7, 3) - search)) / 2
    assert 0.4 * budget < seconds <= budget or one.seeds == SEEDS[-1]


def test_too_little_time_says_how_much_it_takes():
    with pytest.raises(ValueError, match=r"about \d+ min, allowed: so much or more"):
        fitted(30.0, seconds=60.0)


def test_what_was_asked_for_stays():
    assert not fitted(600.0, combine=False, seed=3, seconds=0.1).combine
    assert fitted(600.0, seed=3, seconds=0.1).seed == 3


def test_few_seeds_are_not_spent_on_company():
    assert not fitted(120.0).combine
    assert fitted(120.0).seeds == 5


def test_words():
    assert [in_words(s) for s in (30, 600, 7200)] == ["30 s", "10 min", "2.0 h"]
