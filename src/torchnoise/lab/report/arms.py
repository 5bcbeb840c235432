"""Who is on stage: clean training, the winner, and the others, each drawn in its own way everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from ..results import Arm, Curve, Figures, Noise, Results

Role = Literal["clean", "winner", "other"]


class Cast(NamedTuple):
    """One of them: its name, its part in the story, and what it did."""

    name: str
    role: Role
    arm: Arm


class Series(NamedTuple):
    """Something of one of them against a rising quantity: values[seed][i] at x[i], None where it is not finite."""

    name: str
    role: Role
    x: list[float]
    values: list[list[float | None]]

    @property
    def mean(self) -> list[float]:
        """Over the seeds that are finite; NaN where none is."""
        return [_mean([v for v in column if v is not None]) for column in zip(*self.values, strict=True)]

    def scaled(self, factor: float) -> Series:
        return self._replace(values=[[None if v is None else factor * v for v in row] for row in self.values])


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else float("nan")


def winner_of(results: Results) -> Noise | None:
    return next((n for n in results.noises if n.name == results.winner), None)


def cast(results: Results) -> list[Cast]:
    """Clean training first, then the winner, then the others in their order. Those that diverged do not appear."""
    noises = [Cast(n.name, "winner" if n.name == results.winner else "other", n.arm) for n in results.noises if n.arm]
    return [Cast("clean", "clean", results.clean.arm), *sorted(noises, key=lambda c: c.role != "winner")]


def measured(results: Results) -> list[tuple[Cast, Figures]]:
    """Those of the cast whose trained models were measured."""
    return [(one, one.arm.figures) for one in cast(results) if one.arm.figures is not None]


def series(results: Results, curve_of: Callable[[Arm], Curve | None]) -> list[Series]:
    """A curve of each that has it."""
    found = [(one, curve_of(one.arm)) for one in cast(results)]
    return [Series(one.name, one.role, curve.x, curve.y) for one, curve in found if curve is not None and curve.x]
