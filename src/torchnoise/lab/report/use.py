"""How to use the winner: the plan and the same in a training script."""

from __future__ import annotations

from html import escape

from ..results import Chosen, Noise, Results
from ..statistics import HELPS
from . import words
from .arms import winner_of
from .html import code, details, note


def use(results: Results) -> str:
    """The winner's plan and code, and the others' to unfold."""
    winner = winner_of(results)
    lines = [] if winner is None or winner.chosen is None else _winner(winner, winner.chosen)
    others = [(n, n.chosen) for n in results.noises if n is not winner and n.chosen and n.chosen.code]
    if others:
        told = [
            f"<h3>{escape(f'{n.name}, {words.at_strength(n)}')}</h3>"
            + code(f"Code of {n.name}", "\n".join(chosen.code))
            for n, chosen in others
        ]
        lines.append(details("The other noises at their chosen strengths", *told))
    return "\n".join(lines)


def _winner(winner: Noise, chosen: Chosen) -> list[str]:
    lines = []
    if winner.verdict != HELPS:
        lines.append(note(f"Of all noises {winner.name} was the best on validation, but it is not shown to help here."))
    if chosen.code:
        lines.append(note("In a training script. Noise is active while the model trains, and silent in eval mode."))
        lines.append(code("Four lines of Python", "\n".join(chosen.code)))
    if chosen.plan:
        lines.append(note("The same as a plan file, plan.yaml, for torchnoise train plan.yaml:"))
        lines.append(code("The plan", chosen.plan.rstrip()))
    return lines
