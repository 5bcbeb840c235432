"""Calibration: whether a model that says 90 % is right nine times in ten; and how much it overfits."""

from __future__ import annotations

from ..results import Figures, Results
from . import words
from .arms import Cast, Series, measured
from .html import Cell, Column, figure, grid, note, table
from .key import key
from .plots.reliability import reliability


def calibration(results: Results) -> str:
    """The diagram where classes are learned, and a table."""
    cast = measured(results)
    if not cast:
        return ""
    shown = [(one, f.reliability) for one, f in cast if f.reliability is not None and one.role != "other"]
    numbers = _table(results, cast)
    if not shown:
        return "\n".join([note(_WORDS_FOR_NUMBERS), numbers])
    picture = reliability([(one.role, diagram) for one, diagram in shown])
    told = "; ".join(
        f"{one.name}: "
        + ", ".join(
            f"{a:.0%} right at confidence {c:.0%}"
            for c, a, share in zip(d.confidence, d.accuracy, d.share, strict=True)
            if share
        )
        for one, d in shown
    )
    small = "The larger a mark, the more examples it stands for. Below the diagonal, a model is too sure of itself."
    diagram = figure("How often it is right when it says so", picture, told, small)
    return "\n".join(
        [
            note(_WORDS_FOR_CLASSES),
            key([Series(one.name, one.role, [], []) for one, _ in shown]),
            grid([diagram, numbers], "aside"),
        ]
    )


_GAP = " The gap is the training score minus the test score: the larger, the more was learned by heart."
_WORDS_FOR_CLASSES = (
    "Means over the final seeds, on the test set. Calibration error: how far confidence and the share of right answers "
    "lie apart. NLL: the mean negative log-likelihood of the true classes; lower is better." + _GAP
)
_WORDS_FOR_NUMBERS = (
    "Means over the final seeds, on the test set. NLL: the mean negative log-likelihood under a Gaussian as wide as "
    "the validation part's error; lower is better." + _GAP
)


def _table(results: Results, cast: list[tuple[Cast, Figures]]) -> str:
    errors = any(f.calibration_error is not None for _, f in cast)
    columns = [
        Column("", False),
        Column("NLL"),
        *([Column("calibration error")] if errors else []),
        Column("gap, points"),
    ]
    rows: list[list[str | Cell]] = []
    for one, f in cast:
        error = [f"{100 * words.mean(f.calibration_error):.2f} %" if f.calibration_error else ""] if errors else []
        rows.append([one.name, f"{words.mean(f.nll):.4f}", *error, words.points(100 * words.mean(f.gap))])
    marked = next((i for i, (one, _) in enumerate(cast) if one.role == "winner"), None)
    return table("Likelihood, calibration and generalisation gap", columns, rows, marked)
