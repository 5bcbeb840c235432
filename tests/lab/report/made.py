"""Results that were made up, for every shape that a comparison can have."""

from __future__ import annotations

import numpy as np
from lab.report.parts import SEARCHED, SEEDS, arm, difference, diverged, noise

from torchnoise.lab.results import (
    Clean,
    Combination,
    Cost,
    DataFacts,
    ModelFacts,
    Noise,
    Results,
    RunRow,
    Search,
    Timing,
    Verdict,
)

UNITS = {
    "gaussian_input": ("sigma", 0.15, 1.1),
    "uniform_input": ("half width", 0.25, 0.7),
    "salt_and_pepper": ("p", 0.05, 0.4),
    "weight": ("sigma of rms", 0.1, 0.1),
    "activation_multiply": ("sigma, factor", 0.3, 0.2),
    "gradient": ("eta", 0.001, -0.05),
    "dropout": ("p", 0.2, 0.15),
    "fgsm": ("radius of rms", 0.4, -2.4),
}
EVIL = "</text><script>alert(1)</script>\"'&$\\frac 'DejaVu Sans' #010201"


def combination(rng: np.random.Generator, first: str, second: str, strength: float | None, word: str) -> Combination:
    return Combination(
        first=first,
        second=second,
        description=f"{second} at its usual strength",
        strength=strength,
        alone=difference(rng, 0.5),
        together=difference(rng, 1.2),
        interaction=difference(rng, -0.3, 0.7),
        adds_up=word,
    )


def made(kind: str = "image", *, classes: bool = True, seed: int = 0, names: tuple[str, ...] = tuple(UNITS)) -> Results:
    """A whole comparison: images of digits, a regression table, texts."""
    rng = np.random.default_rng([seed, 77])
    base = 0.95 if classes else 0.47
    noises = [noise(rng, n, *UNITS.get(n, ("sigma", 0.1, 0.8)), kind, base, classes) for n in names]
    winner = noises[0]
    assert winner.difference is not None
    d = winner.difference
    metric = "accuracy" if classes else "R2"
    search_validation = (base + 0.006 * rng.standard_normal(sum(SEARCHED))).tolist()
    return Results(
        schema_version=2,
        seed=seed,
        seeds=SEEDS,
        confidence=0.95,
        versions={"torchnoise": "0.1.0", "torch": "2.13.0", "scikit-learn": "1.7.2", "python": "3.12.3"},
        data=DataFacts(
            name="digits",
            kind=kind,
            said="read as 1,797 images of 12x12, one of ten classes each",
            doubts=["column 'id' counts the rows up: it was left out; --keep id keeps it"],
            classes=[f"digit {i}" for i in range(10)] if classes else None,
            metric=metric,
            shape=[1, 12, 12],
            sizes={"train": 1077, "validation": 360, "test": 360},
            split_by="at random, stratified by class",
            fingerprint="0123456789abcdef" * 4,
            majority=0.102 if classes else None,
        ),
        model=ModelFacts(
            name="mlp",
            described="an MLP with two hidden layers of 128 ReLU",
            parameters=26122,
            epochs=25,
            batch_size=96,
            learning_rate=0.003,
            weight_decay=0.01,
            warmup=0.1,
        ),
        search=Search(rounds=list(SEARCHED), rise=0.1, runs=148, runs_of_full_grid=328),
        clean=Clean(arm=arm(rng, base, 0.1, kind, classes), search_validation=search_validation),
        noises=noises,
        combinations=[
            combination(rng, winner.name, "dropout", 0.2, "overlaps"),
            combination(rng, winner.name, "weight decay", None, "adds up"),
            combination(rng, winner.name, names[-1], 0.25, "cannot be told"),
        ],
        winner=winner.name,
        verdict=Verdict(
            word=winner.verdict,
            headline=f"{winner.name} {winner.verdict} here",
            sentence=f"The search chose {winner.name} at {winner.unit} 0.15. On fresh seeds it changed test {metric} "
            f"by {d.mean:+.2f} points (95 % interval {d.low:+.2f} to {d.high:+.2f}, 5 paired seeds).",
            caveats=["The strongest that was tried was chosen; a stronger one may do better still."],
        ),
        runs=run_rows(noises),
    )


def run_rows(noises: list[Noise]) -> list[RunRow]:
    return [
        RunRow(
            parts=[(n.name, r.strength)],
            phase="search",
            seed=s,
            validation=v,
            train=0.99,
            validation_loss=0.2,
            train_loss=0.1,
            diverged="the loss was not finite in epoch 3" if r.diverged else None,
        )
        for n in noises
        for r in n.ladder
        for s, v in enumerate(r.validation)
    ]


def timing(results: Results) -> Timing:
    costs = {n.name: Cost(time=1.05 + 0.3 * i, memory=1.0 + 0.1 * i) for i, n in enumerate(results.noises)}
    return Timing(costs=costs, clean_step_ms=1.34, seconds=83.0)


def all_diverged() -> Results:
    """Every noise, at every strength."""
    results = made()
    words = {"word": "diverged", "headline": "Every noise diverged", "sentence": "None can be chosen.", "caveats": []}
    noises = [diverged(n) for n in results.noises]
    changed = {"winner": None, "combinations": [], "noises": noises, "runs": run_rows(noises)}
    return results.model_copy(update={**changed, "verdict": Verdict(**words)})


def winner_diverged() -> Results:
    """The noise that validation chose, when it was trained again: its ladder is whole."""
    results = made()
    lost = {"chosen": None, "arm": None, "difference": None, "sites": [], "sample": None, "verdict": "diverged"}
    first, *others = results.noises
    noises = [first.model_copy(update=lost), *others]
    return results.model_copy(update={"winner": None, "combinations": [], "noises": noises})


def plain() -> Results:
    """One noise, and nothing measured but scores."""
    results = made(names=("dropout",))
    (noise,) = results.noises
    assert noise.arm is not None
    bare = noise.model_copy(
        update={"arm": noise.arm.model_copy(update={"figures": None}), "sites": [], "advised": None, "sample": None}
    )
    clean = results.clean.model_copy(update={"arm": results.clean.arm.model_copy(update={"figures": None})})
    return results.model_copy(update={"noises": [bare], "clean": clean, "combinations": []})


def unicode_names() -> Results:
    """Long ones, without a place to break; and letters that matplotlib's font does not have."""
    return made("table", names=("sehr_langer_name_" * 5, "雑音🙂", "ضوضاء", "x" * 90))


def evil() -> Results:
    """Every text in it is an attack, on HTML and on matplotlib's own markup."""
    return Results.model_validate(_with_evil(made().model_dump()))


KEPT = ("kind", "metric", "phase", "at_edge", "fingerprint", "schema_version")


def _with_evil(value: object, key: str = "", number: int = 0) -> object:
    if isinstance(value, dict):
        return {k: v if k in KEPT else _with_evil(v, k, number) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_evil(v, key, i) for i, v in enumerate(value)]
    if not isinstance(value, str):
        return value
    return EVIL if key in ("winner", "first") or (key == "name" and not number) else f"{EVIL}{number}"


ALL = {
    "images": made,
    "regression": lambda: made("table", classes=False),
    "text": lambda: made("text", names=("gaussian_input", "dropout", "weight")),
    "all diverged": all_diverged,
    "winner diverged": winner_diverged,
    "plain": plain,
    "unicode": unicode_names,
    "evil": evil,
}
