"""What results.json holds: plain values, from which the table and the report are made."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import torch

from .. import __version__
from .models import DESCRIPTION
from .noises import CANDIDATES, CLEAN, Candidate
from .settings import Run, Settings
from .statistics import (
    DIVERGED,
    HELPS,
    HURTS,
    choose_noise,
    choose_strength,
    mean,
    paired_differences,
    t_interval,
    verdict,
)
from .store import Record, record_rows

SCHEMA_VERSION = 1

Records = Mapping[Run, Record]


def validation_at(records: Records, settings: Settings, noise: str, strength: float) -> list[float] | None:
    """Validation accuracies by seed; None if a run diverged, which is never chosen."""
    outcomes = [records[Run(noise, strength, s)].outcome for s in range(settings.seeds)]
    return None if any(o.diverged for o in outcomes) else [o.validation_accuracy for o in outcomes]


def choices(records: Records, settings: Settings) -> dict[str, float | None]:
    """The strength chosen on validation for each noise, None where every strength diverged."""
    return {
        name: choose_strength({x: validation_at(records, settings, name, x) for x in CANDIDATES[name].ladder})
        for name in settings.noises
    }


def chosen_runs(chosen: Mapping[str, float | None], settings: Settings) -> list[Run]:
    """The runs that the test set scores: clean, and each noise at its chosen strength."""
    points = [(CLEAN, 0.0), *((name, x) for name, x in chosen.items() if x is not None)]
    return [Run(name, x, s) for name, x in points for s in range(settings.seeds)]


def assemble(
    settings: Settings,
    records: Records,
    test: Mapping[Run, float],
    costs: Mapping[str, float],
    sizes: Mapping[str, int],
) -> dict[str, Any]:
    """results.json. test: accuracy of each chosen run;  costs: relative cost of each noise's step."""
    chosen = choices(records, settings)
    clean = _clean_summary(settings, records, test)
    noises = [
        _noise_summary(CANDIDATES[name], strength, settings, records, test, clean, costs, sizes["test"])
        for name, strength in chosen.items()
    ]
    by_validation = {n["name"]: n["validation"] for n in noises}
    winner = choose_noise(by_validation)
    return {
        "schema_version": SCHEMA_VERSION,
        "settings": {
            "data": "digits",
            "model": DESCRIPTION,
            "noises": list(settings.noises),
            "seeds": settings.seeds,
            "seed": settings.seed,
            **asdict(settings.training),
        },
        "versions": {
            "torchnoise": __version__,
            "torch": torch.__version__,
            "scikit-learn": version("scikit-learn"),
            "python": platform.python_version(),
        },
        "split": dict(sizes),
        "clean": clean,
        "noises": noises,
        "winner": winner,
        "verdict": summarise(next((n for n in noises if n["name"] == winner), None), clean, settings.seeds),
        "runs": record_rows([records[run] for run in settings.runs()]),
    }


def _clean_summary(settings: Settings, records: Records, test: Mapping[Run, float]) -> dict[str, Any]:
    runs = [Run(CLEAN, 0.0, s) for s in range(settings.seeds)]
    outcomes = [records[run].outcome for run in runs]
    validation, scores = [o.validation_accuracy for o in outcomes], [test[run] for run in runs]
    return {
        "validation": validation,
        "validation_mean": mean(validation),
        "train_mean": mean([o.train_accuracy for o in outcomes]),
        "test": scores,
        "test_mean": mean(scores),
    }


def _noise_summary(
    candidate: Candidate,
    strength: float | None,
    settings: Settings,
    records: Records,
    test: Mapping[Run, float],
    clean: Mapping[str, Any],
    costs: Mapping[str, float],
    test_size: int,
) -> dict[str, Any]:
    name = candidate.name
    summary: dict[str, Any] = {
        "name": name,
        "description": candidate.description,
        "unit": candidate.unit,
        "ladder": [_rung(records, settings, name, x) for x in candidate.ladder],
        "chosen": None,
        "validation": None,
        "verdict": DIVERGED,
    }
    if strength is None:
        return summary
    validation = validation_at(records, settings, name, strength)
    assert validation is not None
    scores = [test[Run(name, strength, s)] for s in range(settings.seeds)]
    differences = paired_differences(scores, clean["test"])
    interval = t_interval(differences, resolution=100.0 / test_size)
    return summary | {
        "chosen": {
            "strength": strength,
            "plan": str(candidate.plan(strength)),
            "code": list(candidate.source(strength)),
        },
        "validation": validation,
        "validation_mean": mean(validation),
        "test": scores,
        "test_mean": mean(scores),
        "differences": differences,
        "difference": interval.mean,
        "interval": [interval.low, interval.high],
        "relative_cost": costs[name],
        "verdict": verdict(interval),
    }


def _rung(records: Records, settings: Settings, name: str, strength: float) -> dict[str, Any]:
    outcomes = [records[Run(name, strength, s)].outcome for s in range(settings.seeds)]
    validation = [o.validation_accuracy for o in outcomes]
    return {
        "strength": strength,
        "validation": validation,
        "validation_mean": mean(validation),
        "diverged": sum(o.diverged is not None for o in outcomes),
    }


def summarise(winner: Mapping[str, Any] | None, clean: Mapping[str, Any], seeds: int) -> dict[str, str]:
    """The verdict in a word, a sentence, and what to bear in mind."""
    if winner is None:
        return {
            "word": DIVERGED,
            "sentence": "Every noise diverged at every strength; none can be chosen.",
            "caveat": "",
        }
    low, high = winner["interval"]
    beats_clean = winner["validation_mean"] > clean["validation_mean"]
    who = f"{winner['name']} at {winner['unit']} {winner['chosen']['strength']:g}"
    choice = (
        f"Validation chose {who}."
        if beats_clean
        else f"No noise did better than clean training on validation; the best of them is {who}."
    )
    sentence = (
        f"{choice} Against clean training it changes test accuracy by {winner['difference']:+.2f} percentage points "
        f"(95 % interval {low:+.2f} to {high:+.2f}, {seeds} paired seeds): {_IN_WORDS[winner['verdict']]}."
    )
    caveats = []
    if winner["verdict"] not in (HELPS, HURTS):
        caveats.append(
            f"That is not proof of no effect: with these {seeds} seeds, only a mean difference of about "
            f"{(high - low) / 2:.2f} points or more would have stood out."
        )
    if winner["chosen"]["strength"] == winner["ladder"][-1]["strength"]:
        caveats.append("The strongest that was tried was chosen; a stronger one may do better still.")
    caveat = " ".join(caveats)
    return {"word": winner["verdict"], "sentence": sentence, "caveat": caveat}


_IN_WORDS = {HELPS: "it helps here", HURTS: "it hurts here", "no difference seen": "no difference seen"}

FOOTNOTES = (
    "Differences are paired: the same seed means the same initial weights, batches and split, with and without noise.",
    "Each interval is for its noise alone, and not corrected for looking at several. It covers the chance of "
    "initialisation, batches and noise; the split of the data is one and the same for all runs.",
    "Strengths and the winner were chosen on validation data; the test set was scored once, for the chosen ones.",
    "Step cost is the time of a training step over that of a clean one. On a model this small the overhead per call "
    "outweighs the arithmetic, so this ratio says little about larger ones.",
)
