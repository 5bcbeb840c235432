"""The verdict as people read it: a word, a headline, a sentence, and what to bear in mind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..results import Clean, DataFacts, Difference, Noise
from .caveats import caveats
from .words import CONFIDENCE, DIVERGED, HELPS, HURTS, UNSEEN


class Words(NamedTuple):
    """What the results' verdict holds."""

    word: str
    headline: str
    sentence: str
    caveats: list[str]


def summarise(winner: str | None, noises: Sequence[Noise], clean: Clean, facts: DataFacts, seeds: int) -> Words:
    """The verdict on the noise that validation chose.

    winner: its name; None where every noise diverged, or where the chosen one did when it was trained again.
    """
    chosen = next((noise for noise in noises if noise.name == winner), None)
    if chosen is None or chosen.difference is None:
        return _without_winner(noises, clean, facts, seeds)
    found = chosen.difference
    return Words(
        found.verdict,
        _headline(chosen, found, facts),
        f"{_choice(chosen, clean)} {_test(found, facts, seeds)}",
        caveats(chosen, noises, clean, facts, seeds),
    )


def _without_winner(noises: Sequence[Noise], clean: Clean, facts: DataFacts, seeds: int) -> Words:
    if all(noise.difference is None for noise in noises):
        return Words(
            DIVERGED,
            "Every noise diverged",
            "Training diverged with every noise at every strength, so that none can be chosen. Weaker noise or a lower "
            "learning rate may help.",
            caveats(None, [], clean, facts, seeds),
        )
    return Words(
        DIVERGED,
        "The noise that validation chose diverged",
        "The noise that validation chose diverged when it was trained again on fresh seeds, so that there is no winner "
        "to test. The other noises are compared as a family.",
        caveats(None, noises, clean, facts, seeds),
    )


def unit(facts: DataFacts) -> str:
    """What differences are counted in."""
    return "points of accuracy" if facts.metric == "accuracy" else "points of R2"


def _headline(noise: Noise, found: Difference, facts: DataFacts) -> str:
    if found.verdict == HELPS:
        return f"{noise.name} helps: {found.mean:+.2f} {unit(facts)}"
    if found.verdict == HURTS:
        return f"Even the best noise on validation, {noise.name}, hurts: {found.mean:+.2f} {unit(facts)}"
    return f"No difference seen between {noise.name} and clean training"


def _choice(noise: Noise, clean: Clean) -> str:
    who = f"{noise.name} at {noise.unit} {noise.chosen.strength:.3g}" if noise.chosen else noise.name
    if beats_clean(noise, clean):
        return f"Validation chose {who}."
    return f"No noise did better than clean training on validation; the best of them was {who}."


def beats_clean(noise: Noise, clean: Clean) -> bool:
    """Whether its validation scores are above those of clean training with the same search seeds."""
    at = noise.chosen.strength if noise.chosen else None
    scores = next((rung.validation for rung in noise.ladder if rung.strength == at), [])
    return sum(a - b for a, b in zip(scores, clean.search_validation, strict=False)) > 1e-12


def _test(found: Difference, facts: DataFacts, seeds: int) -> str:
    words = {HELPS: "it helps here", HURTS: "it hurts here", UNSEEN: UNSEEN}[found.verdict]
    return (
        f"Trained again on {seeds} fresh seeds and scored once on {facts.sizes['test']:,} test examples, it changed "
        f"the result by {found.mean:+.2f} {unit(facts)} against clean training ({100 * CONFIDENCE:g} % interval "
        f"{found.low:+.2f} to {found.high:+.2f}): {words}."
    )
