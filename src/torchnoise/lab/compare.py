"""The comparison: train every run, choose on validation, score the test set once, measure costs, write it all down."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .data import SealedTest, fingerprint, load_digits, split
from .models import accuracy, mlp
from .noises import CLEAN
from .pool import Job, cores, run_all
from .results import assemble, choices, chosen_runs
from .settings import Run, Settings, key_of
from .store import Record, Store, write_text
from .timing import relative_cost


class Watcher:
    """Is told how a comparison gets on. This one says nothing; a subclass shows it."""

    def planned(self, runs: Sequence[Run], finished: Sequence[Record]) -> None:
        """What will be done, and what was done before."""

    def finished(self, record: Record) -> None:
        """One more run."""

    def phase(self, text: str) -> None:
        """What is happening after the runs."""


def compare(
    settings: Settings, out: Path, watcher: Watcher | None = None, processes: int | None = None
) -> dict[str, Any]:
    """Run a comparison into the folder `out`, or go on with the one that was cut off there.

    Returns:
        what out/results.json holds; out/report.html shows it.

    Raises:
        RuntimeError: a run that failed, or clean training that diverged.
        OSError: a folder that cannot be written.
    """
    watcher = watcher or Watcher()
    data, test = split(load_digits(), settings.seed)
    sizes = {"train": len(data.train.y), "validation": len(data.validation.y), "test": test.size}
    store = Store(out)
    mark = fingerprint(data)
    keys = {run: key_of(run, settings, mark) for run in settings.runs()}

    def finish(runs: Sequence[Run]) -> None:
        jobs = [Job(run, keys[run], store.path(keys[run])) for run in runs]
        for record in run_all(jobs, data, settings, processes or cores()):
            store.append(record)
            records[record.run] = record
            watcher.finished(record)

    records = {record.run: record for record in store.finished(set(keys.values())).values()}
    watcher.planned(list(keys), list(records.values()))
    finish([run for run in keys if run not in records])
    if any(records[run].outcome.diverged for run in keys if run.noise == CLEAN):
        raise RuntimeError("training without noise diverged, so there is nothing to compare with")

    chosen = choices(records, settings)
    finalists = chosen_runs(chosen, settings)
    # Weights are kept for finalists only; other flags in this folder may choose a strength whose weights are gone.
    finish([run for run in finalists if not store.path(keys[run]).exists()])
    watcher.phase("scoring the test set")
    scores = score(finalists, {run: keys[run] for run in finalists}, store, test)
    watcher.phase("timing a step of each noise")
    costs = {n: relative_cost(Run(n, x, 0), data, settings) for n, x in chosen.items() if x is not None}

    watcher.phase("writing the report")
    results = assemble(settings, records, scores, costs, sizes)
    write_text(out / "results.json", json.dumps(results, indent=1, allow_nan=False) + "\n")
    from .report import render  # matplotlib is slow to import, and wanted only now

    write_text(out / "report.html", render(results))
    store.drop(set(keys.values()) - {keys[run] for run in finalists})
    return results


def score(runs: Sequence[Run], keys: dict[Run, str], store: Store, test: SealedTest) -> dict[Run, float]:
    """Test accuracy of the chosen runs, from their saved weights. Opens the test set."""
    x, y = test.open().tensors()
    scores = {}
    for run in runs:
        model = mlp(0)
        model.load_state_dict(store.load(keys[run]))
        scores[run] = accuracy(model, x, y)
    return scores
