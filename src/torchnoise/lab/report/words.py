"""Numbers and verdicts as people read them."""

from __future__ import annotations

from collections.abc import Sequence

from ..results import Difference, Noise, Results
from ..statistics import HELPS, HURTS

# A shape stands beside each colour: colour alone does not speak to everyone.
_LOOKS = {HELPS: ("better", "●"), HURTS: ("worse", "■")}


def look(verdict: str) -> tuple[str, str]:
    """A verdict's colour, as the page names it, and its mark."""
    return _LOOKS.get(verdict, ("neutral", "○"))


def metric(results: Results) -> str:
    """What scores are called."""
    return results.data.metric


def in_plots(results: Results) -> tuple[float, str]:
    """What scores are multiplied by in pictures, and what stands at their axis."""
    return (100.0, "accuracy, %") if results.data.metric == "accuracy" else (1.0, "R2")


def score(share: float, results: Results) -> str:
    """A score: 95.52 %, or an R2 of 0.534."""
    if results.data.metric == "accuracy":
        return f"{100 * share:.2f} %"
    return f"{share:.3f}" if abs(share) < 1000 else f"{share:.3g}"


def points(value: float) -> str:
    """A difference in points, with its sign.

    >>> points(0.814), points(-0.001), points(-123456.0)
    ('+0.81', '+0.00', '-1.23e+05')
    """
    return f"{round(value, 2) + 0.0:+.2f}" if abs(value) < 10_000 else f"{value:+.3g}"


def interval(difference: Difference) -> str:
    return f"{points(difference.low)} to {points(difference.high)}"


def probability(p: float) -> str:
    """
    >>> probability(0.0312), probability(0.0002), probability(1.0)
    ('0.031', '< 0.001', '1.00')
    """
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def plain(value: float) -> str:
    """A number with three digits that count."""
    return f"{value + 0.0:.3g}"


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def at_strength(noise: Noise) -> str:
    """The chosen strength in its unit: sigma 0.15."""
    return f"{noise.unit} {plain(noise.chosen.strength)}" if noise.chosen else "no strength"


def untested(noise: Noise) -> str:
    """Why there is no test score of a noise."""
    everywhere = all(rung.diverged for rung in noise.ladder)
    return "diverged at every strength" if everywhere else "diverged when it was trained again"


def coverage(results: Results) -> str:
    return f"{100 * results.confidence:g} %"


def listed(names: Sequence[str]) -> str:
    """
    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def counted(count: int, singular: str, plural: str = "") -> str:
    """
    >>> counted(1, "seed"), counted(1200, "seed")
    ('1 seed', '1,200 seeds')
    """
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"
