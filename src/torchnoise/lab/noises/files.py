"""Candidates by what is typed for them: a name, or a plan file of one's own, whose strength is a factor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ... import Injection, Plan
from ...errors import nearest
from ...plans import PlanError
from ..data import IMAGE, TABLE, TEXT
from ..treatments import Treatment
from .candidate import Candidate
from .facts import Facts
from .rows import CANDIDATES

ENDINGS = (".yaml", ".yml")


@dataclass(frozen=True)
class Scaled:
    """A plan, as YAML text, all of whose strengths are multiplied by a factor."""

    text: str
    name: str = "<text>"

    def __call__(self, factor: float, facts: Facts | None = None) -> Treatment:
        return Treatment(Plan(*(scaled(one, factor) for one in Plan.from_yaml(self.text, self.name))))


def scaled(injection: Injection, factor: float) -> Injection:
    """The injection with its noise's strength multiplied, to four significant digits."""
    noise = injection.noise
    strength = noise.strength if factor == 1 else float(f"{noise.strength * factor:.4g}")
    return replace(injection, noise=replace(noise, strength=strength))


def from_file(path: str | Path) -> Candidate:
    """A plan file as a candidate, named as the file. Its strength is a factor on all of the plan: 1 is as written.

    Raises:
        PlanError: a file that holds no plan; a line for each problem.
    """
    where = Path(path)
    plan = Plan.load(where)
    if not len(plan):
        raise ValueError(f"{where}: no injections, allowed: a plan with at least one")
    most = min((one.noise.largest / one.noise.strength for one in plan if one.noise.strength > 0), default=None)
    return Candidate(
        where.name,
        f"The plan in {where.name}",
        "factor on the plan",
        (TABLE, IMAGE, TEXT),
        1.0,
        Scaled(plan.to_yaml(), where.name),
        limit=most if most is not None and most < 1e30 else None,
    )


def find(text: str) -> Candidate:
    """A candidate by its name, or of a plan file. Raises ValueError with one line."""
    if text in CANDIDATES:
        return CANDIDATES[text]
    if not text.endswith(ENDINGS):
        raise ValueError(f"--noises: no noise is called {text!r}; {nearest(text, [*CANDIDATES, 'FILE.yaml'])}")
    try:
        return from_file(text)
    except PlanError as error:
        raise ValueError(f"--noises {error.lines[0]}") from None
    except ValueError as error:
        raise ValueError(f"--noises {error}") from None


def find_all(text: str) -> tuple[Candidate, ...]:
    """The candidates in a list separated by commas. Raises ValueError with one line."""
    found: dict[str, Candidate] = {}
    for name in (part.strip() for part in text.split(",")):
        if not name:
            continue
        candidate = find(name)
        if candidate.name in found:
            raise ValueError(f"--noises names {candidate.name} twice, allowed: each at most once")
        found[candidate.name] = candidate
    if not found:
        raise ValueError(f"--noises is empty, allowed: {', '.join(CANDIDATES)}, and plan files")
    return tuple(found.values())
