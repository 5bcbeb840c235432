"""Learning curves of clean training and the winner, the other noises faint behind them."""

from __future__ import annotations

from ..results import Results
from . import words
from .arms import Series, series
from .html import figure, grid, note
from .key import key, spoken
from .plots.lines import lines
from .plots.scale import around, is_wide


def curves(results: Results) -> str:
    """Training loss, validation loss, validation score over epochs."""
    factor, score = words.in_plots(results)
    shown = [
        ("Training loss", "loss", series(results, lambda arm: arm.train_loss)),
        ("Validation loss", "loss", series(results, lambda arm: arm.validation_loss)),
        (f"Validation {words.metric(results)}", score, series(results, lambda arm: arm.validation_score)),
    ]
    pictures = [
        _picture(title, label, [one.scaled(factor if number == 2 else 1.0) for one in found], number < 2)
        for number, (title, label, found) in enumerate(shown)
        if found
    ]
    if not pictures:
        return ""
    return "\n".join(
        [
            note(
                "Means over the final seeds; bands go from the lowest seed to the highest. The training loss is the "
                "one that training saw, with noise. A validation loss that rises while the training loss falls is "
                "overfitting. The first epochs may lie outside a picture."
            ),
            key(shown[0][2] or shown[1][2] or shown[2][2]),
            grid(pictures),
        ]
    )


def _picture(title: str, label: str, found: list[Series], may_be_log: bool) -> str:
    log = may_be_log and is_wide(v for one in found for v in one.mean)
    # Where all is still far from its end, nothing can be told apart: the first third may fall out of the picture.
    limits = None if log else around(v for one in found for v in one.mean[len(one.x) // 3 :])
    picture = lines(found, "epoch", label + (" (logarithmic)" if log else ""), title, limits, log)
    return figure(title, picture, f"{title} by epoch. {spoken(found)}")
