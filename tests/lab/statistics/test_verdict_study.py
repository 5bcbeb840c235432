"""The simulation study: its worlds are what they say, it runs, and a small part of what it claims, at fixed seeds."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

STUDY = Path(__file__).parents[3] / "benchmarks" / "verdict"
sys.path.insert(0, str(STUDY))

from comparison import ARMS, compare, effects_of, searched  # noqa: E402
from naive import best_on_test, t_test  # noqa: E402
from worlds import DIGITS, WORLDS  # noqa: E402


def generator(*numbers):
    return np.random.default_rng([51, *numbers])


@pytest.mark.parametrize("name", list(WORLDS))
def test_effects_are_what_was_planted(name):
    """Means of 40 worlds of 2000 examples and 5 seeds; |z| above 4 comes once in 16,000 times."""
    world, draw, effects = WORLDS[name], generator(1), np.array([0.0, 0.8, -2.0])
    means = []
    for _ in range(40):
        scores = world.scores(draw, world.part(draw, 3, 2000), world.luck_of(draw, 3, 5), effects)
        means.append(100.0 * scores.mean((1, 2)))
    found, error = np.mean(means, 0), np.std(means, 0, ddof=1) / 40**0.5
    assert abs(found[0] - 100 * world.mean) < 4 * error[0]
    paired = np.array(means)[:, 1:] - np.array(means)[:, :1]
    z = (paired.mean(0) - effects[1:]) / (paired.std(0, ddof=1) / 40**0.5)
    assert (abs(z) < 4).all()


def test_a_large_effect_wins_the_search():
    wins = [searched(generator(2, i), DIGITS, effects_of(3.0)) for i in range(5)]
    assert {winner for _, winner in wins} == {"noise 1"}
    assert {chosen["noise 1"] for chosen, _ in wins} <= {2.0, 3.0, 4.0}
    assert len(effects_of(3.0)) == len(ARMS) + 1


def test_the_winner_is_claimed_rarely_where_nothing_helps():
    """At most 2.5 % each way are promised. Of 300 comparisons 31 or more false ones would come once in 10,000 times."""
    found = [compare(generator(3, i), DIGITS, 5, 300, effects_of(0.0)) for i in range(300)]
    assert sum(one.claims_falsely([one.winner]) for one in found) < 31
    assert sum(one.claims_falsely(one.others) for one in found) < 31


def test_the_usual_way_is_fooled():
    """A tenth at the very least announce a winner: about a sixth do."""
    fooled = [best_on_test(generator(4, i), DIGITS, 5, 719, 10, t_test)[0] for i in range(200)]
    assert sum(fooled) > 20


def test_it_runs_and_fills_its_page():
    run = subprocess.run(
        [sys.executable, "-W", "error", STUDY / "run.py", "--quick"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    page = (STUDY.parents[1] / "docs" / "evidence" / "verdict.md").read_text()
    for part in ("intervals", "effects", "null", "naive", "planted", "detectable"):
        assert f"[{part}]" in run.stdout
        assert f"<!-- begin: {part} -->" in page
