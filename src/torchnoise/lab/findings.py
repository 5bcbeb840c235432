"""All that a comparison found, before it is put into words and tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from torch import nn

from .data import Part
from .entrants import Entrants
from .finals import Finals
from .measures import Measured
from .run import Bench, Look
from .search import Found
from .settings import FINAL, Parts, Run, Settings
from .store import Record, without_nan
from .trainer import Trainer


@dataclass(frozen=True)
class Findings:
    """What results.json is made of. net: a network as runs begin with;  advised: strengths, by noise;  test: the test
    part, opened."""

    settings: Settings
    bench: Bench
    entrants: Entrants
    net: nn.Module
    trainer: Trainer
    found: Found
    advised: Mapping[str, float | None]
    finals: Finals
    test: Part
    measured: Mapping[Run, Measured]

    def runs(self, parts: Parts) -> list[Run]:
        """An arm's final runs, by seed."""
        return [Run(parts, FINAL, seed) for seed in range(self.settings.seeds)]

    def records(self, parts: Parts) -> list[Record]:
        """What training them gave."""
        return [self.trainer.records[run] for run in self.runs(parts)]

    def diverged(self, parts: Parts) -> bool:
        """Whether one of them did."""
        return any(record.outcome.diverged for record in self.records(parts))

    def measures(self, parts: Parts) -> list[Measured]:
        """What was measured of them."""
        return [self.measured[run] for run in self.runs(parts)]

    def scores(self, parts: Parts) -> np.ndarray:
        """Test scores: float64 [seeds, test examples]."""
        return np.array([one.scores for one in self.measures(parts)], dtype=np.float64)

    def curve(self, parts: Parts, name: str) -> tuple[list[float], list[list[float | None]]]:
        """One learning curve of an arm: epochs, and by seed the field `name` of each look."""
        looks = [record.outcome.looks for record in self.records(parts)]
        epochs = [look.epoch for look in max(looks, key=len)]
        at = Look._fields.index(name)
        values = [without_nan([look[at] for look in some]) + [None] * (len(epochs) - len(some)) for some in looks]
        return epochs, values
