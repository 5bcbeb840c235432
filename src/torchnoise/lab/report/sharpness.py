"""Sharpness: how fast the training loss rises when the trained weights are shaken."""

from __future__ import annotations

from ..results import Arm, Curve, Results
from . import words
from .arms import series
from .html import Cell, Column, figure, grid, note, table
from .key import key, spoken
from .plots.lines import lines
from .plots.scale import is_wide


def sharpness(results: Results) -> str:
    """The curves beside their numbers."""
    found = series(results, _curve)
    if not found:
        return ""
    log = is_wide(v for one in found for v in one.mean)
    picture = lines(
        found, "sigma, relative to each matrix's rms", "loss" + (" (logarithmic)" if log else ""), "sharpness", log=log
    )
    columns = [Column("loss at sigma", False), *(Column(words.plain(x)) for x in found[0].x)]
    rows: list[list[str | Cell]] = [[one.name, *(words.plain(v) if v == v else "" for v in one.mean)] for one in found]
    marked = next((i for i, one in enumerate(found) if one.role == "winner"), None)
    return "\n".join(
        [
            note(
                "The mean training loss when Gaussian noise is added to the trained weights. A model whose loss rises "
                "slowly sits in a flat minimum, which often, not always, goes with good generalisation."
            ),
            key(found),
            grid(
                [
                    figure("Loss under weight noise", picture, f"Mean loss by sigma. {spoken(found)}"),
                    table("Loss under weight noise", columns, rows, marked),
                ],
                "aside",
            ),
        ]
    )


def _curve(arm: Arm) -> Curve | None:
    return None if arm.figures is None else arm.figures.sharpness
