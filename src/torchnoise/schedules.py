"""WHEN and how strongly: a schedule is a pure function of the step, and of nothing else.

Any callable of the step will do; these are values that print themselves. A schedule multiplies the noise's strength:
`Gaussian(0.1)` with `linear(1, 0, 1000)` falls from 0.1 to 0 in 1000 steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from .errors import check_number

Schedule = Callable[[int], float]


def _positive(what: str, steps: int) -> None:
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise ValueError(f"{what} is {steps!r}, allowed: a whole number from 1")


@dataclass(frozen=True)
class constant:
    """value at every step.

    >>> constant(0.5)(1000)
    0.5
    """

    value: float = 1.0

    def __post_init__(self) -> None:
        check_number("constant: value", self.value)

    def __call__(self, step: int) -> float:
        return self.value


@dataclass(frozen=True)
class linear:
    """start + (end - start) min(t / steps, 1).

    >>> [linear(1.0, 0.0, steps=4)(t) for t in (0, 1, 4, 9)]
    [1.0, 0.75, 0.0, 0.0]
    """

    start: float
    end: float
    steps: int

    def __post_init__(self) -> None:
        check_number("linear: start", self.start)
        check_number("linear: end", self.end)
        _positive("linear: steps", self.steps)

    def __call__(self, step: int) -> float:
        if step >= self.steps:
            return self.end
        return self.start + (self.end - self.start) * (step / self.steps)


@dataclass(frozen=True)
class cosine:
    """end + (start - end) (1 + cos(pi min(t / steps, 1))) / 2.

    >>> [round(cosine(1.0, 0.0, steps=4)(t), 3) for t in (0, 2, 4, 9)]
    [1.0, 0.5, 0.0, 0.0]

    Source: Loshchilov, Hutter, "SGDR", ICLR 2017, equation 5.
    """

    start: float
    end: float
    steps: int

    def __post_init__(self) -> None:
        check_number("cosine: start", self.start)
        check_number("cosine: end", self.end)
        _positive("cosine: steps", self.steps)

    def __call__(self, step: int) -> float:
        if step >= self.steps:
            return self.end
        return self.end + (self.start - self.end) * (1 + math.cos(math.pi * step / self.steps)) / 2


@dataclass(frozen=True)
class exponential:
    """start rate^(t / steps): falls by the factor `rate` every `steps` steps.

    >>> exponential(1.0, rate=0.5, steps=10)(20)
    0.25
    """

    start: float
    rate: float
    steps: int = 1

    def __post_init__(self) -> None:
        check_number("exponential: start", self.start)
        check_number("exponential: rate", self.rate)
        _positive("exponential: steps", self.steps)

    def __call__(self, step: int) -> float:
        return self.start * self.rate ** (step / self.steps)


@dataclass(frozen=True)
class power_decay:
    """sqrt(eta / (1 + t)^gamma): the standard deviation of annealed gradient noise, sigma^2 = eta / (1 + t)^gamma.

    >>> power_decay(eta=0.01, gamma=0.55)(0)
    0.1

    Source: Neelakantan et al., "Adding gradient noise improves learning for very deep networks", arXiv:1511.06807,
    section 3, equation 1 (eta in {0.01, 0.3, 1.0}, gamma = 0.55); Welling, Teh, ICML 2011, for the schedule.
    """

    eta: float
    gamma: float = 0.55

    def __post_init__(self) -> None:
        check_number("power_decay: eta", self.eta)
        check_number("power_decay: gamma", self.gamma)

    def __call__(self, step: int) -> float:
        return math.sqrt(self.eta / (1 + step) ** self.gamma)


@dataclass(frozen=True)
class warm_up:
    """then(t) min(t / steps, 1): rises from 0 within `steps` steps and goes on as `then`.

    >>> [warm_up(4)(t) for t in (0, 2, 4, 9)]
    [0.0, 0.5, 1.0, 1.0]
    """

    steps: int
    then: Schedule = constant(1.0)

    def __post_init__(self) -> None:
        _positive("warm_up: steps", self.steps)

    def __call__(self, step: int) -> float:
        return self.then(step) * min(step / self.steps, 1.0)


@dataclass(frozen=True)
class window:
    """inside(t) for first <= t < last, 0 elsewhere.

    >>> [window(2, 4)(t) for t in (1, 2, 3, 4)]
    [0.0, 1.0, 1.0, 0.0]
    """

    first: int
    last: int
    inside: Schedule = constant(1.0)

    def __post_init__(self) -> None:
        if not 0 <= self.first < self.last:
            raise ValueError(f"window: first, last are {self.first}, {self.last}, allowed: 0 <= first < last")

    def __call__(self, step: int) -> float:
        return self.inside(step) if self.first <= step < self.last else 0.0


@dataclass(frozen=True)
class join:
    """Schedules one after the other: schedules[i] from boundaries[i-1] on, each counting from its own beginning.

    >>> s = join([linear(0, 1, 10), constant(0.5)], boundaries=[10])
    >>> s(5), s(10)
    (0.5, 0.5)

    Raises:
        ValueError: boundaries that do not rise, or are not one fewer than the schedules.
    """

    schedules: tuple[Schedule, ...]
    boundaries: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "schedules", tuple(self.schedules))
        object.__setattr__(self, "boundaries", tuple(self.boundaries))
        if len(self.boundaries) != len(self.schedules) - 1:
            raise ValueError(
                f"join: {len(self.schedules)} schedules with {len(self.boundaries)} boundaries, "
                "allowed: one boundary fewer than schedules"
            )
        if list(self.boundaries) != sorted({b for b in self.boundaries if b > 0}):
            raise ValueError(f"join: boundaries are {list(self.boundaries)}, allowed: rising steps from 1")

    def __call__(self, step: int) -> float:
        begin = 0
        for schedule, end in zip(self.schedules, self.boundaries, strict=False):
            if step < end:
                return schedule(step - begin)
            begin = end
        return self.schedules[-1](step - begin)
