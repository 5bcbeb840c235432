"""The search, with scores that are made up: it asks for the runs it says, and pairs them with clean ones."""

from torchnoise.lab.run import Outcome
from torchnoise.lab.search import clean_runs, runs_in, search
from torchnoise.lab.settings import SEARCH, Run
from torchnoise.lab.store import Record

LADDERS = {"a": (0.1, 0.2, 0.4, 0.8), "b": (1.0, 2.0, 3.0, 4.0), "c": (5.0, 6.0, 7.0, 8.0)}


class Trainer:
    """Gives each run the score that `quality` says, plus what belongs to its seed."""

    def __init__(self, quality, diverges=lambda run: False):
        self.quality, self.diverges, self.asked = quality, diverges, []

    def __call__(self, runs):
        self.asked += runs
        return {run: self.record(run) for run in runs}

    def record(self, run):
        score = 0.9 + 0.03 * (run.seed % 3) + self.quality(run.parts)
        return Record("k", run, Outcome(score, 1.0, 0.1, 0.1, 1.0, "nan" if self.diverges(run) else None))


def quality(parts):
    return {(): 0.0, (("b", 2.0),): 0.02, (("a", 0.4),): 0.01}.get(parts, -0.01)


def test_the_best_strengths_and_the_winner_are_found():
    found = search(LADDERS, (2, 2, 4), Trainer(quality))
    assert (found.chosen["a"], found.chosen["b"]) == (0.4, 2.0)
    assert found.order[:2] == ["b", "a"]


def test_it_halves():
    trainer = Trainer(quality)
    found = search(LADDERS, (2, 2, 4), trainer)
    assert len(trainer.asked) == len(set(trainer.asked)) == runs_in(3, 4, (2, 2, 4)) == 8 + 12 * 2 + 6 * 2 + 2 * 4
    assert {arm: len(scores) for arm, scores in found.scores.items() if len(scores) == 8} == {
        ("a", 0.4): 8,
        ("b", 2.0): 8,
    }
    assert all(run.phase == SEARCH for run in trainer.asked)


def test_it_is_paired():
    """Scores that come of a seed alone are no difference."""
    found = search(LADDERS, (1, 1, 1), Trainer(lambda parts: 0.0))
    assert all(d == 0.0 for some in found.differences().values() for d in some)


def test_a_noise_that_diverges_is_not_chosen():
    found = search(LADDERS, (2, 2, 4), Trainer(quality, lambda run: any(name == "b" for name, _ in run.parts)))
    assert found.chosen["b"] is None
    assert found.winner == "a"


def test_clean_runs_are_enough_for_every_round():
    assert [run.seed for run in clean_runs((2, 2, 4))] == list(range(8))
    assert clean_runs((1,)) == [Run((), SEARCH, 0)]


def twice(name, x, up):
    return (2 * x if up else x / 2) if 0.05 < x < 3 else None


def test_a_ladder_grows_while_its_end_is_best():
    trainer = Trainer(lambda parts: {"a": 0.01 * parts[0][1], "b": 0.0}.get(parts[0][0], 0.01) if parts else 0.0)
    found = search(LADDERS, (1, 1), trainer, twice)
    assert sorted(x for name, x in found.scores if name == "a") == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2]
    assert sorted(x for name, x in found.scores if name == "b") == [1.0, 2.0, 3.0, 4.0]  # no better than clean anywhere
    assert found.chosen["a"] == 3.2


def test_a_ladder_does_not_grow_past_what_is_worse():
    trainer = Trainer(lambda parts: {0.8: 0.02, 1.6: 0.01}.get(parts[0][1], 0.0) if parts else 0.0)
    found = search({"a": (0.4, 0.8)}, (1,), trainer, twice)
    assert sorted(x for _, x in found.scores) == [0.4, 0.8, 1.6]
    assert found.chosen["a"] == 0.8


def test_a_noise_is_not_judged_at_strengths_that_are_all_too_much():
    trainer = Trainer(lambda parts: 0.002 - 0.01 * parts[0][1] if parts else 0.0)
    found = search({"a": (0.5, 1.0, 2.0)}, (1,), trainer, twice)
    assert sorted(x for _, x in found.scores) == [0.125, 0.25, 0.5, 1.0, 2.0]  # until it is better than clean
    assert found.chosen["a"] == 0.125


def test_where_all_diverge_weaker_ones_are_tried():
    trainer = Trainer(lambda parts: 0.01 if parts else 0.0, lambda run: bool(run.parts) and run.parts[0][1] > 0.3)
    found = search({"a": (0.5, 1.0)}, (1,), trainer, twice)
    assert found.chosen["a"] == 0.25
