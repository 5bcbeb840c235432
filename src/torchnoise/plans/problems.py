"""What is wrong with a plan file: one line for each problem, with the file, the line and what is allowed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

MOST_SHOWN = 10


class Problem(NamedTuple):
    """One problem. line: counted from 1, None where there is none; text: a path into the file, and what is allowed."""

    line: int | None
    text: str

    def at(self, name: str) -> str:
        """The line that people read."""
        place = [name] if name else []
        if self.line is not None:
            place.append(str(self.line))
        said = self.text.replace("\n", "\\n").replace("\r", "\\r")
        return f"{':'.join(place)}: {said}" if place else said


class PlanError(ValueError):
    """A plan that cannot be read or written. Its text has one line for each problem, at most ten.

    >>> print(PlanError("plan.yaml", [Problem(7, "seed is 'one', allowed: a whole number")]))
    plan.yaml:7: seed is 'one', allowed: a whole number
    """

    def __init__(self, name: str, problems: Iterable[Problem]) -> None:
        self.name = name
        self.problems = tuple(sorted(problems, key=lambda p: p.line or 0))  # stable: paths keep their order in a line
        super().__init__(name, self.problems)

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines, the last of which may say how many more there are."""
        shown = [p.at(self.name) for p in self.problems[:MOST_SHOWN]]
        left = len(self.problems) - len(shown)
        more = [Problem(None, f"and {left} more").at(self.name)] if left else []
        return (*shown, *more)

    def __str__(self) -> str:
        return "\n".join(self.lines)
