"""Measures the finalists on the test set, through an engine."""

from __future__ import annotations

from collections.abc import Iterator

from .data import Part, SealedTest
from .engines import Engine
from .finals import Finals, runs_of
from .jobs import MeasureJob, Opened, measure_job
from .measures import Measured
from .settings import Run
from .store import Store
from .trainer import Trainer
from .watcher import Watcher


class Measuring:
    """What is measured of the finalists: everything of some arms, of those that are only there for a pair the score.

    names: under which each run's measures are kept: the run's key, the test set's hash, and how much was measured.
    """

    def __init__(self, finals: Finals, seeds: int, trainer: Trainer, test: SealedTest) -> None:
        self.trainer, self.test = trainer, test
        self.whole = set(finals.measured())
        self.names = {run: self._name(run) for run in runs_of(finals.arms(), seeds)}
        self._kept = kept(trainer.store)

    def _name(self, run: Run) -> str:
        how = "whole" if run.parts in self.whole else "score"
        return f"{self.trainer.key(run)}-{self.test.fingerprint[:16]}-{how}"

    def missing(self) -> list[Run]:
        """The runs that are not measured yet, whose weights are wanted."""
        return [run for run, name in self.names.items() if name not in self._kept]

    def do(self, engine: Engine, watcher: Watcher) -> tuple[Part, dict[Run, Measured]]:
        """Open the test set, and measure what is missing; weights are dropped once they are measured."""
        store, runs = self.trainer.store, {self.names[run]: run for run in self.missing()}
        part = self.test.open()
        engine.give("opened", Opened(self.trainer.bench, part))

        def jobs() -> Iterator[MeasureJob]:
            for name, run in runs.items():
                yield MeasureJob(name, store.load(self.trainer.key(run)), run.seed, run.parts in self.whole)

        for name, measured in engine.map(measure_job, "opened", jobs()):
            store.measured.append({"key": name, "measured": measured.model_dump(mode="json")})
            self._kept[name] = measured
            store.drop(self.trainer.key(runs[name]))
            watcher.step()
        return part, {run: self._kept[name] for run, name in self.names.items()}


def kept(store: Store) -> dict[str, Measured]:
    """What was measured before, by name."""
    found = {}
    for row in store.measured:
        try:
            found[row["key"]] = Measured.model_validate(row["measured"])
        except (KeyError, ValueError):
            continue
    return found
