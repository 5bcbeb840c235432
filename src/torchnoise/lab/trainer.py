"""Trains runs through an engine, and keeps what is finished."""

from __future__ import annotations

from collections.abc import Sequence

from .engines import Engine
from .entrants import Entrants
from .jobs import TrainJob, train_job
from .models import fingerprint
from .run import Bench
from .settings import Run, key_of
from .store import Record, Store
from .watcher import Watcher


class Trainer:
    """records: every run of this comparison that is finished, whether it was trained now or before."""

    def __init__(self, bench: Bench, entrants: Entrants, store: Store, engine: Engine, watcher: Watcher) -> None:
        self.bench, self.entrants, self.store, self.engine, self.watcher = bench, entrants, store, engine, watcher
        self.fingerprint = bench.data.fingerprint()
        self.model = fingerprint(bench.model)
        self.records: dict[Run, Record] = {}
        self._before = store.finished()
        engine.give("bench", bench)

    def key(self, run: Run) -> str:
        """What the run's record and weights are kept under."""
        treatment, bench = self.entrants.treatment(run.parts), self.bench
        return key_of(run, treatment, bench.training, bench.seed, self.model, self.fingerprint)

    def do(self, runs: Sequence[Run], keep: Sequence[Run] = ()) -> dict[Run, Record]:
        """Train what is not trained yet, and again the runs of `keep` whose weights are not at hand.

        Raises:
            RuntimeError: a run failed, with its traceback.
        """
        keys = {run: self.key(run) for run in runs}
        lost = {run for run in keep if not self.store.path(keys[run]).exists()}
        for run, key in keys.items():
            if key in self._before and run not in self.records and run not in lost:
                self._note(Record(key, run, self._before[key].outcome), before=True)
        missing = [run for run in keys if run not in self.records or run in lost]
        jobs = (TrainJob(run, keys[run], self.entrants.treatment(run.parts), run in lost) for run in missing)
        for record, weights in self.engine.map(train_job, "bench", jobs):
            self.store.add(record, weights)
            self._note(record, before=False)
        return {run: self.records[run] for run in runs}

    def _note(self, record: Record, before: bool) -> None:
        again = record.run in self.records
        self.records[record.run] = record
        if not again:
            self.watcher.finished(record, before)
