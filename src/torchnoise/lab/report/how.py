"""How it was computed: enough to do it again."""

from __future__ import annotations

from collections import Counter

from ..results import Results, RunRow, Timing
from . import words
from .html import Column, details, facts, table


def how(results: Results, timing: Timing | None) -> str:
    """Data, model, training, search, seeds and versions; then every run that diverged."""
    asked = [("command", results.command)] if results.command else []
    items = [*asked, *_data(results), *_training(results), *_search(results), *_rest(results, timing)]
    lines = [facts(items)]
    failed = [run for run in results.runs if run.diverged]
    if failed:
        lines.append(details(f"{words.counted(len(failed), 'run')} diverged", _diverged(failed)))
    return "\n".join(lines)


def _data(results: Results) -> list[tuple[str, str]]:
    data = results.data
    sizes = ", ".join(f"{size:,} {part}" for part, size in data.sizes.items())
    items = [("data", data.name), ("read as", data.said)]
    items += [("please check", doubt) for doubt in data.doubts]
    items += [
        ("examples", f"{sizes}; split {data.split_by}"),
        ("shape of one", "x".join(map(str, data.shape)) or "one number"),
    ]
    if data.classes is not None:
        few = data.classes[:12]
        more = len(data.classes) - len(few)
        items.append(("classes", f"{len(data.classes)}: {', '.join(few)}" + (f" and {more} more" if more else "")))
    if data.majority is not None:
        items.append(("commonest class", f"{100 * data.majority:.1f} % of the test part: what guessing it would score"))
    return [*items, ("fingerprint", data.fingerprint)]


def _training(results: Results) -> list[tuple[str, str]]:
    model = results.model
    warmup = f"rising over the first {model.warmup:.0%} of the steps, " if model.warmup else ""
    clean = results.clean.arm
    return [
        ("model", f"{model.name}: {model.described}; {model.parameters:,} parameters"),
        (
            "training",
            f"{words.counted(model.epochs, 'epoch')} of AdamW, batches of {model.batch_size}, learning rate "
            f"{model.learning_rate:g}, {warmup}falling to 0 along a half cosine, weight decay {model.weight_decay:g}",
        ),
        (
            "overfitting",
            f"clean training reaches {words.score(words.mean(clean.train), results)} on the training data and "
            f"{words.score(words.mean(clean.validation), results)} on validation data",
        ),
    ]


def _search(results: Results) -> list[tuple[str, str]]:
    search = results.search
    rounds = ", then ".join(str(count) for count in search.rounds)
    saved = f"{search.runs:,} runs; a full grid would have taken {search.runs_of_full_grid:,}"
    strengths = "; ".join(
        f"{n.name} ({n.unit}) " + ", ".join(words.plain(r.strength) for r in n.ladder) for n in results.noises
    )
    return [
        ("search", f"successive halving, {rounds} seeds in each round; {saved}"),
        ("strengths", strengths),
        ("final seeds", f"{results.seeds} paired seeds for clean training and each noise; master seed {results.seed}"),
    ]


def _rest(results: Results, timing: Timing | None) -> list[tuple[str, str]]:
    items = [("versions", ", ".join(f"{name} {number}" for name, number in results.versions.items()))]
    if timing is not None:
        items.append(("time", f"{timing.seconds:,.0f} seconds of training in {len(results.runs):,} runs"))
    return [*items, ("file", f"results.json, version {results.schema_version}, from which this page was made")]


def _diverged(runs: list[RunRow]) -> str:
    counts = Counter((_named(run), run.phase, run.diverged or "") for run in runs)
    columns = [Column("run", False), Column("phase", False), Column("seeds"), Column("why", False)]
    return table(
        "Runs that diverged", columns, [[name, phase, str(n), why] for (name, phase, why), n in counts.items()]
    )


def _named(run: RunRow) -> str:
    return " and ".join(f"{name} {words.plain(strength)}" for name, strength in run.parts) or "clean"
