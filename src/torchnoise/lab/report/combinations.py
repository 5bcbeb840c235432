"""Combinations: the winner beside something else, and whether the two add up."""

from __future__ import annotations

from html import escape

from ..results import Combination, Difference, Results
from . import words
from .differences import found, reach, row, scale, spoken
from .html import grid, image, named, note
from .plots.forest import strip
from .plots.scale import Limits, without_outliers


def combinations(results: Results) -> str:
    """A small forest plot for each."""
    if not results.combinations:
        return ""
    firsts = {n.name: n.difference for n in results.noises if n.difference is not None}
    shown = [d for c in results.combinations for _, d, _ in _rows(c, firsts.get(c.first))]
    limits = without_outliers([reach(d) for d in shown])
    return "\n".join(
        [
            note(
                "Each alone and both together, against clean training on the test set, in points. The upright mark on "
                "the third row is where both would be if their effects added up; the interaction is what "
                "they do beyond that: below zero they overlap."
            ),
            grid([_card(c, firsts.get(c.first), limits) for c in results.combinations], "third"),
        ]
    )


def _rows(one: Combination, first: Difference | None) -> list[tuple[str, Difference, float | None]]:
    """Name, difference, and where it would be if effects added up."""
    rows: list[tuple[str, Difference, float | None]] = [] if first is None else [(one.first, first, None)]
    at = one.second if one.strength is None else f"{one.second} {words.plain(one.strength)}"
    expected = None if first is None else first.mean + one.alone.mean
    return [*rows, (at, one.alone, None), ("both", one.together, expected), ("interaction", one.interaction, None)]


def _card(one: Combination, first: Difference | None, limits: Limits) -> str:
    title = f"{one.first} and {one.second}"
    rows = []
    for name, difference, expected in _rows(one, first):
        key = f"{title} {name}"
        word = "" if name == "interaction" else difference.verdict
        picture = image(strip(difference, word, limits, key, expected), spoken(name, difference, word or one.adds_up))
        rows.append(row(f"<b>{named(name)}</b>", picture, found(difference, word or one.adds_up)))
    rows.append(row("", scale(limits), "", "scale"))
    return (
        f'<div class="card forest"><h3>{escape(title)} <span class="tag">{escape(one.adds_up)}</span></h3>'
        f"<small>{escape(one.description)}</small>{''.join(rows)}</div>"
    )
