"""A comparison against an earlier one: what was set otherwise, and which differences are more than chance."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from .results import Difference, Results
from .results.load import load_results

__all__ = ["Against", "Change", "compare_results", "load_results"]


@dataclass(frozen=True)
class Change:
    """A noise's difference against clean training then and now.

    z: the change over its standard error, the two runs taken as independent;  p: of so large a change by chance, in
    either direction, times how many noises are compared (at most 1);  within_chance: p is not below 1 - confidence.
    Standard errors come from the intervals as if these were normal. Intervals of few seeds are wider, and two runs on
    the same data or seeds are more alike than independent ones: both make this err towards chance.
    """

    name: str
    then: Difference
    now: Difference
    z: float
    p: float
    within_chance: bool

    @property
    def points(self) -> float:
        return self.now.mean - self.then.mean

    @property
    def word(self) -> str:
        """What may be said of it."""
        if self.then == self.now:
            return "the same"
        if self.within_chance:
            return "within chance"
        return "more, beyond chance" if self.points > 0 else "less, beyond chance"

    def line(self) -> str:
        """All of it in a line."""
        then, now = (f"{d.mean:+.2f} ({d.low:+.2f} to {d.high:+.2f})" for d in (self.then, self.now))
        return f"{self.name}: {now} points; it was {then}: {self.word}."


@dataclass(frozen=True)
class Against:
    """An earlier run beside this one.

    metric: of this run;  settings: a line for whatever was set otherwise, what matters most first;  comparable: whether
    scores mean the same in both;  clean, winner: then and now;  changes: by noise, in this run's order;  only_then,
    only_now: noises that were tested in one of them.
    """

    metric: str
    settings: list[str]
    comparable: bool
    clean: tuple[float, float]
    winner: tuple[str | None, str | None]
    changes: list[Change]
    only_then: list[str]
    only_now: list[str]

    def lines(self) -> list[str]:
        """All of it as plain lines."""
        then, now = (name or "none" for name in self.winner)
        lines = [f"Not the same as in the earlier run: {line}" for line in self.settings]
        lines.append(f"The winner is {now}, as it was." if then == now else f"The winner is {now}; it was {then}.")
        if not self.comparable:
            return [*lines, "Scores are of another kind and cannot be compared."]
        before, after = (f"{100 * s:.2f} %" if self.metric == "accuracy" else f"{s:.3f}" for s in self.clean)
        lines.append(f"Clean training: {after}; it was {before}.")
        return [*lines, *(change.line() for change in self.changes)]


def compare_results(old: Results, new: Results) -> Against:
    """What changed from an earlier run to this one."""
    then = {n.name: n.difference for n in old.noises if n.difference is not None}
    now = {n.name: n.difference for n in new.noises if n.difference is not None}
    comparable = old.data.metric == new.data.metric
    both = [name for name in now if name in then] if comparable else []
    return Against(
        metric=new.data.metric,
        settings=_settings(old, new),
        comparable=comparable,
        clean=(old.clean.arm.test_mean, new.clean.arm.test_mean),
        winner=(old.winner, new.winner),
        changes=[
            _change(
                Change(name, then[name], now[name], 0.0, 1.0, True),
                math.hypot(_error(old, name, then[name]), _error(new, name, now[name])),
                len(both),
                new.confidence,
            )
            for name in both
        ],
        only_then=[n for n in then if n not in now],
        only_now=[n for n in now if n not in then],
    )


def _change(change: Change, error: float, count: int, confidence: float) -> Change:
    from scipy.stats import norm

    points = change.points
    z = points / error if error else math.copysign(math.inf, points) if points else 0.0
    p = min(1.0, count * 2 * float(norm.sf(abs(z))))
    return replace(change, z=z, p=p, within_chance=p >= 1 - confidence)


def _error(results: Results, name: str, difference: Difference) -> float:
    """The standard error behind an interval. The winner's is of one test; those of the others are Bonferroni's."""
    others = sum(n.difference is not None and n.name != results.winner for n in results.noises)
    alpha = 1 - results.confidence
    return standard_error(difference, 1 - alpha if name == results.winner else 1 - alpha / max(others, 1))


def standard_error(difference: Difference, confidence: float) -> float:
    """From the interval's half width, as if it were a normal one.

    Where a verdict is Holm's, the side towards 0 ends there: the other side counts.

    >>> from types import SimpleNamespace
    >>> round(standard_error(SimpleNamespace(mean=1.5, low=0.0, high=1.5 + 1.959964), 0.95), 4)
    1.0
    """
    from scipy.stats import norm

    half = max(difference.high - difference.mean, difference.mean - difference.low)
    return half / float(norm.ppf((1 + confidence) / 2))


_FIELDS = {
    "data": ("name", "metric", "said", "shape", "sizes", "split_by", "classes"),
    "model": ("name", "described", "parameters", "epochs", "batch_size", "learning_rate", "weight_decay", "warmup"),
    "search": ("rounds", "rise"),
}


def _settings(old: Results, new: Results) -> list[str]:
    """What differs: the data, the model and its training, the search, seeds, versions."""
    lines = []
    if old.data.fingerprint != new.data.fingerprint:
        lines.append(
            "the training and validation data are not the same "
            f"(fingerprints {old.data.fingerprint[:12]} and {new.data.fingerprint[:12]})"
        )
    for part, names in _FIELDS.items():
        before, after = getattr(old, part), getattr(new, part)
        lines += _differing(part, {n: (getattr(before, n), getattr(after, n)) for n in names})
    lines += _differing("", {n: (getattr(old, n), getattr(new, n)) for n in ("seed", "seeds", "confidence")})
    versions = sorted({*old.versions, *new.versions})
    return lines + _differing(
        "version of", {n: (old.versions.get(n, "none"), new.versions.get(n, "none")) for n in versions}
    )


def _differing(part: str, pairs: dict[str, tuple[object, object]]) -> list[str]:
    return [
        f"{part} {name.replace('_', ' ')}: {_said(a)} then, {_said(b)} now".strip()
        for name, (a, b) in pairs.items()
        if a != b
    ]


def _said(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{v} {k}" for k, v in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value[:6])) + (f" and {len(value) - 6} more" if len(value) > 6 else "")
    return "none" if value is None else str(value)
