"""results.json, put together from what was trained and measured."""

from __future__ import annotations

import math
import platform
from importlib.metadata import version

import torch

from .. import __version__
from ..plans.code import training_lines
from .findings import Findings
from .measures import figures
from .measures.samples import sample
from .measures.sites import site_rows
from .noises import Candidate
from .pairs import combinations
from .results import (
    SCHEMA_VERSION,
    Arm,
    Chosen,
    Clean,
    Curve,
    DataFacts,
    Difference,
    Edge,
    ModelFacts,
    Noise,
    Results,
    Rung,
    RunRow,
    Search,
    Verdict,
)
from .settings import CLEAN_PARTS, Parts, command_of
from .statistics import CONFIDENCE, DIVERGED, differences_of, summarise
from .store import without_nan


def assemble(findings: Findings) -> Results:
    """All of results.json. The same findings give the same values."""
    tested = {name: parts for name, parts in findings.finals.alone.items() if _finished(findings, parts)}
    winner = findings.found.winner if findings.found.winner in tested else None
    arms = {name: findings.scores(parts) for name, parts in tested.items() if parts is not None}
    differences = differences_of(arms, findings.scores(CLEAN_PARTS), winner)
    noises = [noise(findings, one, differences.get(name)) for name, one in findings.entrants.noises.items()]
    facts, clean = data_facts(findings), clean_of(findings)
    return Results(
        schema_version=SCHEMA_VERSION,
        command=command_of(findings.settings),
        seed=findings.settings.seed,
        seeds=findings.settings.seeds,
        confidence=CONFIDENCE,
        versions=versions(),
        data=facts,
        model=model_facts(findings),
        search=search_facts(findings),
        clean=clean,
        noises=noises,
        combinations=combinations(findings),
        winner=winner,
        verdict=Verdict(**summarise(winner, noises, clean, facts, findings.settings.seeds)._asdict()),
        runs=run_rows(findings),
    )


def _finished(findings: Findings, parts: Parts | None) -> bool:
    return parts is not None and not findings.diverged(parts)


def clean_of(findings: Findings) -> Clean:
    """Training without noise."""
    return Clean(arm=arm_of(findings, CLEAN_PARTS), search_validation=findings.found.clean)


def arm_of(findings: Findings, parts: Parts) -> Arm:
    """One arm over the final seeds."""
    outcomes = [record.outcome for record in findings.records(parts)]
    test = [float(scores.mean()) for scores in findings.scores(parts)]
    return Arm(
        validation=[one.validation for one in outcomes],
        train=[one.train for one in outcomes],
        test=test,
        test_mean=sum(test) / len(test),
        rmse=_rmse(findings, sum(test) / len(test)),
        figures=figures(findings.measures(parts)),
        **{name: _curve(findings, parts, name) for name in ("train_loss", "validation_loss")},
        validation_score=_curve(findings, parts, "validation"),
    )


def _curve(findings: Findings, parts: Parts, name: str) -> Curve:
    epochs, values = findings.curve(parts, name)
    return Curve(x=epochs, y=values)


def _rmse(findings: Findings, explained: float) -> float | None:
    """The root mean squared error that goes with an R2, in the target's own unit."""
    task = findings.bench.data.task
    if task.classes is not None:
        return None
    spread = float(findings.test.y.double().std(correction=0))
    return task.std * spread * math.sqrt(max(1.0 - explained, 0.0))


def noise(findings: Findings, one: Candidate, difference: Difference | None) -> Noise:
    """A noise: its search and, where it did not diverge, what it did."""
    name = one.name
    strength = findings.found.chosen.get(name)
    parts = findings.finals.alone.get(name)
    about = Noise(
        name=name,
        description=one.description,
        unit=one.unit,
        by_rule=one.rule,
        advised=findings.advised.get(name),
        ladder=ladder_of(findings, name),
        verdict=DIVERGED,
    )
    if difference is None or parts is None or strength is None:
        return about
    plan, bench, seed = one.treat(strength).plan, findings.bench, findings.settings.seed
    return about.model_copy(
        update={
            "chosen": chosen(findings, one, strength),
            "arm": arm_of(findings, parts),
            "difference": difference,
            "sites": [] if plan is None else site_rows(plan, bench.model, bench.data, seed),
            "sample": None if plan is None else sample(plan, bench.model, bench.data, seed),
            "verdict": difference.verdict,
        }
    )


def ladder_of(findings: Findings, name: str) -> list[Rung]:
    """The strengths that were searched, rising."""
    found = findings.found
    return [
        Rung(
            strength=arm[1],
            validation=found.scores[arm],
            mean=sum(found.scores[arm]) / len(found.scores[arm]),
            diverged=found.diverged[arm],
            kept_for=found.rounds[arm],
        )
        for arm in sorted(arm for arm in found.scores if arm[0] == name)
    ]


def chosen(findings: Findings, one: Candidate, strength: float) -> Chosen:
    """The strength that the search chose, and how to use it."""
    plan = one.treat(strength).plan
    strengths = [rung.strength for rung in ladder_of(findings, one.name)]
    edges: dict[float, Edge] = {strengths[0]: "weakest", strengths[-1]: "strongest"} if len(strengths) > 1 else {}
    return Chosen(
        strength=strength,
        plan="" if plan is None else plan.to_yaml(),
        code=[] if plan is None else training_lines(plan),
        at_edge=edges.get(strength),
    )


def data_facts(findings: Findings) -> DataFacts:
    """What the data are."""
    data, y = findings.bench.data, findings.test.y
    sizes = {"train": len(data.train), "validation": len(data.validation), "test": len(findings.test)}
    classes = data.task.classes
    return DataFacts(
        name=data.name,
        kind=data.kind,
        said=data.said,
        doubts=list(data.doubts),
        classes=None if classes is None else list(classes),
        metric=data.task.metric,
        shape=list(data.shape),
        sizes=sizes,
        split_by=data.split_by,
        fingerprint=findings.trainer.fingerprint,
        majority=None if classes is None else float(torch.bincount(y).max()) / len(y),
    )


def model_facts(findings: Findings) -> ModelFacts:
    """What was trained, and how."""
    bench, training = findings.bench, findings.bench.training
    return ModelFacts(
        name=bench.model.name,
        described=bench.model.described,
        parameters=sum(p.numel() for p in findings.net.parameters()),
        epochs=training.epochs,
        batch_size=training.batch_size,
        learning_rate=training.learning_rate,
        weight_decay=training.weight_decay,
        warmup=training.warmup,
    )


def search_facts(findings: Findings) -> Search:
    """How much was searched."""
    found, settings = findings.found, findings.settings
    rungs = max((len(ladder_of(findings, name)) for name in findings.entrants.noises), default=0)
    return Search(
        rounds=list(settings.rounds),
        rise=settings.rise,
        runs=len(found.clean) + sum(len(scores) for scores in found.scores.values()),
        runs_of_full_grid=sum(settings.rounds) * (1 + rungs * len(findings.entrants.noises)),
    )


def run_rows(findings: Findings) -> list[RunRow]:
    """Every run, the search's first; within a phase by name, strength and seed."""
    records = sorted(findings.trainer.records.values(), key=lambda r: (r.run.phase == "final", r.run.parts, r.run.seed))
    return [
        RunRow(
            parts=list(record.run.parts),
            phase=record.run.phase,
            seed=record.run.seed,
            **{name: without_nan(value) for name, value in record.outcome._asdict().items() if name in _KEPT},
        )
        for record in records
    ]


_KEPT = ("validation", "train", "validation_loss", "train_loss", "diverged")


def versions() -> dict[str, str]:
    """What the numbers may depend on."""
    found = {"torchnoise": __version__, "torch": torch.__version__, "python": platform.python_version()}
    return found | {name: version(name) for name in ("numpy", "scikit-learn", "scipy")}
