"""The search: how each strength of each noise did on validation data."""

from __future__ import annotations

from ..results import Noise, Results, Rung
from . import words
from .html import Cell, Column, details, figure, grid, marks, note, table
from .plots.ladder import ladder
from .plots.scale import Limits, of_scores


def ladders(results: Results) -> str:
    """A picture for each noise, and all numbers below."""
    noises = [n for n in results.noises if any(r.validation for r in n.ladder)]
    if not noises:
        return ""
    limits = _limits(noises, results)
    advised = any(n.advised is not None for n in noises)
    diverged = any(r.diverged for n in noises for r in n.ladder)
    rise = "" if results.search.rise is None else f", where a clean model's loss rises by {results.search.rise:.0%}"
    return "\n".join(
        [
            note(
                f"Validation {words.metric(results)} against strength, on the search's own seeds. Strengths that did "
                "worse were dropped on the way, and are fainter."
            ),
            marks(
                ("◆", "chosen", "winner"),
                ("◇", "mean", "neutral"),
                ("•", "seed", "neutral"),
                ("╌", "clean training, its band from lowest to highest seed", ""),
                *([("▼", f"advised{rise}", "neutral")] if advised else []),
                ("▽", "rule of thumb", "neutral"),
                *([("x", "some runs diverged", "")] if diverged else []),
            ),
            grid([_picture(n, results, limits) for n in noises]),
            details("Every strength in numbers", _table(noises, results)),
        ]
    )


def _limits(noises: list[Noise], results: Results) -> Limits:
    """One range for all ladders, so that they compare at a glance."""
    factor, _ = words.in_plots(results)
    rungs = [r for n in noises for r in n.ladder]
    chosen = [r.mean for n in noises for r in n.ladder if n.chosen and r.strength == n.chosen.strength]
    clean = results.clean.search_validation
    kept = [v for r in rungs if r.kept_for > 1 for v in r.validation]
    everything = [v for r in rungs for v in r.validation]
    low, high = of_scores([*clean, *kept, *chosen] or everything, everything)
    return factor * low, factor * high


def _picture(noise: Noise, results: Results, limits: Limits) -> str:
    picture = ladder(noise, results.clean, *words.in_plots(results), limits)
    parts = [f"chosen {words.plain(noise.chosen.strength)}" if noise.chosen else words.untested(noise)]
    if noise.chosen and noise.chosen.at_edge:
        parts[0] += f", the {noise.chosen.at_edge} that was tried"
    if noise.advised is not None:
        parts.append(f"advised {words.plain(noise.advised)}")
    parts.append(f"rule of thumb {words.plain(noise.by_rule)}")
    clean = words.score(words.mean(results.clean.search_validation), results)
    spoken = f"{noise.name}, mean validation {words.metric(results)}: " + ", ".join(
        f"{words.score(r.mean, results)} at {noise.unit} {words.plain(r.strength)} ({_fate(r, noise)})"
        for r in noise.ladder
    )
    return figure(noise.name, picture, f"{spoken}; clean {clean}", " · ".join(parts))


def _fate(rung: Rung, noise: Noise) -> str:
    if rung.diverged:
        return f"{words.counted(rung.diverged, 'run')} diverged"
    if noise.chosen and rung.strength == noise.chosen.strength:
        return "chosen"
    return f"kept for {words.counted(rung.kept_for, 'round')}"


def _table(noises: list[Noise], results: Results) -> str:
    columns = [
        Column("noise", False),
        Column("strength"),
        Column("seeds"),
        Column(f"mean validation {words.metric(results)}"),
        Column("against clean, same seeds, points"),
        Column("what became of it", False),
    ]
    rows: list[list[str | Cell]] = [
        [
            noise.name,
            f"{noise.unit} {words.plain(rung.strength)}",
            str(len(rung.validation)),
            words.score(rung.mean, results) if rung.validation else "",
            _against_clean(rung, results),
            _fate(rung, noise),
        ]
        for noise in noises
        for rung in noise.ladder
    ]
    return table("Every strength of the search", columns, rows)


def _against_clean(rung: Rung, results: Results) -> str:
    """Seeds are paired: a strength with fewer of them is compared with clean training on the same ones."""
    pairs = list(zip(rung.validation, results.clean.search_validation, strict=False))
    return words.points(100 * words.mean([a - b for a, b in pairs])) if pairs else ""
