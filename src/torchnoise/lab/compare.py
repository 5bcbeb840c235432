"""The comparison: search, train the finalists on fresh seeds, open the test set, measure, write it all down."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .assemble import assemble
from .budget import with_search, with_seeds
from .engines import Engine
from .finals import finals_of, runs_of
from .findings import Findings
from .jobs import AdviseJob, advise_job
from .measures.cost import relative_cost
from .measuring import Measuring
from .noises import Candidate, ladder
from .prepare import Prepared
from .results import Cost, Results, Timing
from .search import Beyond, Found, clean_runs, refuse_diverged, search
from .settings import CLEAN_PARTS, Settings
from .store import Store, write_text
from .trainer import Trainer
from .watcher import Watcher


def compare(
    settings: Settings,
    prepared: Prepared,
    out: Path,
    engine: Engine,
    watcher: Watcher | None = None,
    budget: float | None = None,
) -> tuple[Results, Timing]:
    """Run a comparison into the folder `out`, or go on with the one that was cut off there. budget: seconds that it may
    take, for which the search is made smaller or the seeds more.

    Returns:
        what out/results.json and out/timing.json hold.

    Raises:
        ValueError: a budget that is too small.
        RuntimeError: a run that failed, or clean training that diverged.
        OSError: a folder that cannot be written.
    """
    watcher = watcher or Watcher()
    bench, entrants, net, test = prepared
    trainer = Trainer(bench, entrants, Store(out), engine, watcher)
    watcher.prepared(settings, bench, entrants)
    settings, advised, found = searched(settings, trainer, watcher, budget)

    watcher.phase("training the finalists")
    finals = finals_of(found, entrants if settings.combine else entrants.without_partners())
    measuring = Measuring(finals, settings.seeds, trainer, test)
    finished = trainer.do(runs_of(finals.arms(), settings.seeds), keep=measuring.missing())
    refuse_diverged([record for run, record in finished.items() if run.parts == CLEAN_PARTS])

    watcher.phase("measuring on the test set", count=len(measuring.missing()))
    part, measured = measuring.do(engine, watcher)

    watcher.phase("putting it together")
    findings = Findings(settings, bench, entrants, net, trainer, found, advised, finals, part, measured)
    results = assemble(findings)
    write_text(out / "results.json", results.model_dump_json(indent=1) + "\n")

    watcher.phase("timing a step of each noise", count=len(found.chosen))
    timing = timed(found, trainer, watcher)
    write_text(out / "timing.json", timing.model_dump_json(indent=1) + "\n")
    return results, timing


def searched(
    settings: Settings, trainer: Trainer, watcher: Watcher, budget: float | None
) -> tuple[Settings, dict[str, float | None], Found]:
    """The search, with what a budget makes of the settings before and after it, and the strengths that were advised."""
    noises, partners = trainer.entrants.noises, trainer.entrants.partners
    at_a_time = trainer.engine.at_a_time
    first = clean_runs(settings.rounds)[:at_a_time]
    watcher.phase("the first runs")
    begun = trainer.do(first, keep=first[:1])
    if budget is not None:
        seconds = max(record.outcome.seconds for record in begun.values())
        settings = with_search(settings, len(noises), seconds, budget, at_a_time)
    watcher.expecting(settings, trainer.entrants)
    advised = advice(settings, trainer, watcher)
    watcher.phase("searching strengths")
    ladders = ladders_of(settings, noises, advised)
    found = search(ladders, settings.rounds, trainer.do, beyond=beyond(settings, noises))
    if budget is not None:
        took = [record.outcome.seconds for record in trainer.records.values()]
        settings = with_seeds(settings, len(noises), len(partners), took, budget, at_a_time)
        watcher.expecting(settings, trainer.entrants)
    return settings, advised, found


def advice(settings: Settings, trainer: Trainer, watcher: Watcher) -> dict[str, float | None]:
    """The strength that the loss of the first clean network advises for each noise, by its sensitivity."""
    if settings.rise is None:
        return {}
    watcher.phase("advising strengths")
    first, *_ = clean_runs(settings.rounds)
    key = trainer.key(first)
    store = trainer.store
    wanted = {name: one for name, one in trainer.entrants.noises.items() if name not in settings.strengths}
    about = [settings.rise, {name: repr(one.treat(one.rule).plan) for name, one in wanted.items()}]
    for row in store.advised:
        if row["key"] == key and row.get("about") == about:
            return row["strengths"]
    if not store.path(key).exists():
        trainer.do([first], keep=[first])
    job = AdviseJob(store.load(key), wanted, settings.rise)
    (strengths,) = trainer.engine.map(advise_job, "bench", [job])
    store.advised.append({"key": key, "about": about, "strengths": strengths})
    return strengths


def ladders_of(
    settings: Settings, noises: Mapping[str, Candidate], advised: Mapping[str, float | None]
) -> dict[str, tuple[float, ...]]:
    """Each noise's strengths: those that were asked for, or a ladder around what was advised or the rule of thumb."""
    return {
        name: settings.strengths.get(name) or ladder(one, advised.get(name), settings.rungs)
        for name, one in noises.items()
    }


def beyond(settings: Settings, noises: Mapping[str, Candidate]) -> Beyond:
    """The next rung beyond a ladder's end: none where the ladder was asked for, or the next is too strong."""

    def rung(name: str, strength: float, up: bool) -> float | None:
        if name in settings.strengths:
            return None
        factor = noises[name].factor if up else 1 / noises[name].factor
        *_, found = ladder(noises[name], strength * factor, rungs=1)
        return found if (found > strength) == up and found != strength else None

    return rung


def timed(found: Found, trainer: Trainer, watcher: Watcher) -> Timing:
    """What each noise's step costs, measured one after the other in this process."""
    bench, costs, clean_step = trainer.bench, {}, 0.0
    for name, strength in found.chosen.items():
        if strength is not None:
            treatment = trainer.entrants.treatment(((name, strength),))
            cost = relative_cost(treatment, bench.model, bench.data, bench.training, bench.device)
            costs[name] = Cost(time=cost.time, memory=cost.memory)
            clean_step = clean_step or cost.clean_step
        watcher.step()
    seconds = sum(record.outcome.seconds for record in trainer.records.values())
    return Timing(costs=costs, clean_step_ms=1000 * clean_step, seconds=seconds)
