"""The search: for each noise a ladder of strengths, halved as validation scores come in, and a winner.

Its seeds are its own. What it chooses is trained again on other seeds before the test set is opened, so that a lucky
seed which won the search is no part of what is tested.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from .settings import CLEAN_PARTS, SEARCH, Run
from .statistics import choose, next_arms
from .store import Record

Arm = tuple[str, float]  # a noise and a strength
Do = Callable[[Sequence[Run]], Mapping[Run, Record]]  # trains what is not trained yet
Beyond = Callable[[str, float, bool], float | None]  # the rung above a strength (True) or below; None for none
EXTENSIONS = 3  # rungs that a ladder may grow by


@dataclass
class Found:
    """clean: validation scores of clean training by search seed;  scores: the same of each arm, as far as it got;
    diverged: how many of an arm's runs did;  rounds: in how many rounds it was;  chosen: each noise's strength, None
    where all diverged;  winner, and second: the two best noises, where there are so many."""

    clean: list[float]
    scores: dict[Arm, list[float]] = field(default_factory=dict)
    diverged: dict[Arm, int] = field(default_factory=dict)
    rounds: dict[Arm, int] = field(default_factory=dict)
    chosen: dict[str, float | None] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)

    @property
    def winner(self) -> str | None:
        return self.order[0] if self.order else None

    @property
    def second(self) -> str | None:
        return self.order[1] if len(self.order) > 1 else None

    def differences(self) -> dict[Arm, list[float] | None]:
        """Each arm's validation scores minus those of clean training with the same seeds; None where a run diverged."""
        return {
            arm: None if self.diverged[arm] else [a - b for a, b in zip(scores, self.clean, strict=False)]
            for arm, scores in self.scores.items()
        }

    def note(self, arm: Arm, records: Sequence[Record]) -> None:
        """One more round of an arm."""
        self.scores.setdefault(arm, []).extend(r.outcome.validation for r in records)
        self.diverged[arm] = self.diverged.get(arm, 0) + sum(r.outcome.diverged is not None for r in records)
        self.rounds[arm] = self.rounds.get(arm, 0) + 1


def clean_runs(rounds: Sequence[int]) -> list[Run]:
    """The clean runs that every arm is compared with."""
    return [Run(CLEAN_PARTS, SEARCH, seed) for seed in range(sum(rounds))]


def refuse_diverged(clean: Sequence[Record]) -> None:
    """Raise where clean training diverged.

    Raises:
        RuntimeError: it did.
    """
    if any(record.outcome.diverged for record in clean):
        raise RuntimeError(
            "training without noise diverged, so there is nothing to compare with; a lower --lr may help"
        )


def search(
    ladders: Mapping[str, Sequence[float]],
    rounds: Sequence[int],
    do: Do,
    beyond: Beyond = lambda name, strength, up: None,
) -> Found:
    """Successive halving. rounds: how many seeds each of them adds.

    The middle of a ladder is a guess, and the answer may lie beyond its ends. So in the first round a ladder grows:
    upwards while its strongest rung is the best and better than clean; downwards while its weakest is the best and
    still worse than clean, for a noise must not be judged at strengths that are all too much.

    Raises:
        RuntimeError: clean training diverged.
    """
    clean = do(clean_runs(rounds))
    refuse_diverged(list(clean.values()))
    found = Found([clean[run].outcome.validation for run in clean_runs(rounds)])
    arms: list[Arm] = [(name, x) for name, ladder in ladders.items() for x in ladder]
    _round(found, arms, range(rounds[0]), do)
    for _ in range(EXTENSIONS):
        further = [(name, beyond(name, x, up)) for (name, x), up in _open_ends(found)]
        _round(found, [(name, x) for name, x in further if x is not None], range(rounds[0]), do)
    for number, count in enumerate(rounds[1:], start=1):
        done = sum(rounds[:number])
        _round(found, next_arms(found.differences(), number), range(done, done + count), do)
    found.chosen, found.order = choose(found.differences())
    return found


def _round(found: Found, arms: Sequence[Arm], seeds: range, do: Do) -> None:
    """Train some arms with some seeds more."""
    runs = {arm: [Run((arm,), SEARCH, seed) for seed in seeds] for arm in arms}
    records = do([run for some in runs.values() for run in some])
    for arm, some in runs.items():
        found.note(arm, [records[run] for run in some])


def _open_ends(found: Found) -> list[tuple[Arm, bool]]:
    """The rungs at the end of a ladder beyond which the answer may lie, and whether that is above."""
    ends = []
    differences = found.differences()
    for name in dict.fromkeys(name for name, _ in differences):
        strengths = [x for other, x in differences if other == name]
        means = {x: sum(some) / len(some) for x in strengths if (some := differences[name, x])}
        best = max(sorted(means), key=means.__getitem__, default=None)
        if best is not None and best == max(strengths) and means[best] > 0:
            ends.append(((name, best), True))
        elif best is None or (best == min(strengths) and means[best] < 0):
            ends.append(((name, min(strengths)), False))
    return ends


def runs_in(noises: int, rungs: int, rounds: Sequence[int]) -> int:
    """How many runs a search takes if nothing diverges: clean ones, and each round's."""
    half = (rungs + 1) // 2
    arms = [noises * rungs, noises * half] + [(noises + 1) // 2] * max(len(rounds) - 2, 0)
    return sum(rounds) + sum(count * some for count, some in zip(rounds, arms, strict=False))
