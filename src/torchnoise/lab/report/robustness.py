"""Robustness: the score under corruptions of rising severity, and under an attack of rising strength."""

from __future__ import annotations

from ..results import Curve, Figures, Results
from . import words
from .arms import Cast, Series, measured
from .html import Cell, Column, details, figure, grid, note, table
from .key import key, spoken
from .plots.lines import lines
from .plots.scale import Limits, around

ATTACK = "FGSM"


def robustness(results: Results) -> str:
    """A picture for each corruption, and a table of who lost least."""
    panels = _panels(results)
    if not panels:
        return ""
    factor, label = words.in_plots(results)
    limits = _limits([one.scaled(factor) for _, _, found in panels for one in found], factor)
    pictures = []
    for name, said, found in panels:
        scaled = [one.scaled(factor) for one in found]
        x = "epsilon" if name == ATTACK else "severity"
        picture = lines(scaled, x, label, f"robustness {name}", limits)
        told = f"Test {words.metric(results)} under {name} by {x}. {spoken(scaled)}"
        pictures.append(figure(name[:1].upper() + name[1:], picture, told, said))
    return "\n".join(
        [
            note(
                f"Test {words.metric(results)} when inputs are corrupted more and more; 0 is the test set as it is. "
                "Models were trained once and never saw these corruptions on purpose."
            ),
            key(panels[0][2]),
            grid(pictures),
            _summary(results, panels),
            details("Every severity in numbers", *(_numbers(results, *panel) for panel in panels)),
        ]
    )


def _panels(results: Results) -> list[tuple[str, str, list[Series]]]:
    """Name, description and curves of each corruption, and of the attack; the uncorrupted score stands at 0."""
    cast = measured(results)
    known: dict[str, str] = {c.name: c.said for _, figures in cast for c in figures.corruptions}
    panels = [
        (name, said, [s for one, f in cast if (s := _of_corruption(one, f, name))]) for name, said in known.items()
    ]
    attacked = [_from_zero(one, f, f.fgsm) for one, f in cast if f.fgsm is not None and f.fgsm.x]
    if attacked:
        panels.append((ATTACK, f"fast gradient sign attack; epsilon {_EPSILON[results.data.kind]}", attacked))
    return panels


_EPSILON = {
    "image": "in pixel values from 0 to 1",
    "table": "in the inputs' rms",
    "text": "in the embeddings' rms, or the inputs' where they are numbers",
}


def _of_corruption(one: Cast, figures: Figures, name: str) -> Series | None:
    found = next((c.scores for c in figures.corruptions if c.name == name), None)
    return None if found is None else _from_zero(one, figures, found)


def _from_zero(one: Cast, figures: Figures, curve: Curve) -> Series:
    """With the uncorrupted score at 0: on the same examples where an attack of epsilon 0 has it, else on all."""
    if curve.x[:1] == [0.0]:
        return Series(one.name, one.role, curve.x, curve.y)
    attack = figures.fgsm
    start = [row[0] for row in attack.y] if attack is not None and attack.x[:1] == [0.0] else list(one.arm.test)
    values = [[at_zero, *row] for at_zero, row in zip(start, curve.y, strict=False)]
    return Series(one.name, one.role, [0.0, *curve.x], values)


def _limits(found: list[Series], factor: float) -> Limits:
    """One range for all; an R2 may fall without end, so what is far below zero is cut off."""
    means = [v for one in found for v in one.mean]
    return around(means if factor > 1 else [max(v, -0.5) for v in means])


def _summary(results: Results, panels: list[tuple[str, str, list[Series]]]) -> str:
    """For each noise the mean change against clean training over all severities, in points."""
    gains = {name: _gains(found) for name, _, found in panels}
    names = [one.name for one, _ in measured(results) if one.role != "clean"]
    if not names or not any(gains.values()):
        return ""
    columns = [Column("noise", False), *(Column(name) for name, _, _ in panels)]
    rows: list[list[str | Cell]] = [[n, *(_gain(gains[name].get(n)) for name, _, _ in panels)] for n in names]
    marked = names.index(results.winner) if results.winner in names else None
    told = (
        "In the mean over these severities, how many points more or less than clean training; coloured where all seeds "
        "agree whether it is more or less."
    )
    return note(told) + table("Robustness of each noise against clean training", columns, rows, marked)


def _gains(found: list[Series]) -> dict[str, list[float]]:
    """By noise, for each seed: the mean over severities of its change against clean training, in points."""
    clean = next((one for one in found if one.role == "clean"), None)
    if clean is None:
        return {}
    return {one.name: _changes(one, clean) for one in found if one is not clean}


def _changes(one: Series, clean: Series) -> list[float]:
    changes = []
    for mine, theirs in zip(one.values, clean.values, strict=False):
        pairs = [(a, b) for a, b in zip(mine[1:], theirs[1:], strict=False) if a is not None and b is not None]
        if pairs:
            changes.append(100 * words.mean([a - b for a, b in pairs]))
    return changes


def _gain(changes: list[float] | None) -> Cell:
    """Coloured where all seeds agree on the sign."""
    if not changes:
        return Cell("")
    look = "better" if min(changes) > 0 else "worse" if max(changes) < 0 else ""
    return Cell(words.points(words.mean(changes)), look)


def _numbers(results: Results, name: str, said: str, found: list[Series]) -> str:
    columns = [Column(f"{name}: {'epsilon' if name == ATTACK else 'severity'}", False)]
    columns += [Column(words.plain(x)) for x in found[0].x]
    rows: list[list[str | Cell]] = [
        [one.name, *(words.score(v, results) if v == v else "" for v in one.mean)] for one in found
    ]
    return table(f"{name}: {said}", columns, rows)
