"""By how much noise raises a network's loss, as a function of its strength; and the strength that raises it so much."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable

from ... import Plan
from .probe import Probe
from .solve import strength_at

TINY = 0.01  # of where a search begins: a strength at which only what is linear in the noise is left
ERROR = 0.04  # of the wanted rise: a larger standard error asks for more draws

PlanOf = Callable[[float], Plan]


class Rises:
    """The mean rise of the loss over the clean one, from `samples` draws of the noise, the same for every strength.

    In the mean over noise, what is linear in it is 0; in a few draws it is not, and hides the rise of small strengths.
    So it is measured where nothing else is left, draw by draw, and taken away: of noise that is proportional to its
    strength, which noise that hits some elements is not. start: a strength of the usual size.
    """

    def __init__(self, probe: Probe, plan_of: PlanOf, start: float, samples: int) -> None:
        self.probe, self.plan_of, self.samples = probe, plan_of, samples
        self.tried: dict[float, float] = {}
        self.slopes = [0.0] * samples
        if all(one.noise.scales_linearly for one in plan_of(start)):
            tiny = TINY * start
            self.slopes = [rise / tiny for rise in self.by_sample(tiny)]

    def by_sample(self, strength: float) -> list[float]:
        losses = self.probe.losses_under(self.plan_of(strength), self.samples)
        return [x - self.probe.clean - slope * strength for x, slope in zip(losses, self.slopes, strict=True)]

    def __call__(self, strength: float) -> float:
        self.tried[strength] = statistics.fmean(self.by_sample(strength))
        return self.tried[strength]

    def samples_for(self, strength: float, wanted: float) -> int:
        """How many draws tell the rise at a strength well enough, judged by the draws there are."""
        found = self.by_sample(strength)
        if not all(map(math.isfinite, found)):
            return self.probe.effort.most_samples
        return math.ceil(statistics.variance(found) / (ERROR * wanted) ** 2)


def strength_for(probe: Probe, plan_of: PlanOf, wanted: float, start: float, top: float) -> tuple[float | None, Rises]:
    """The strength up to `top` at which the loss rises by `wanted`, None where it does not; and how that was found.

    Where a few draws leave it too uncertain, it is looked for again, nearby, with more.
    """
    _, few, many = probe.effort
    rises = Rises(probe, plan_of, start, few)
    strength = strength_at(rises, wanted, start, top)
    if strength is None or few == many:
        return strength, rises
    samples = min(rises.samples_for(strength, wanted), many)
    if samples <= few:
        return strength, rises
    better = Rises(probe, plan_of, start, samples)
    return strength_at(better, wanted, strength, top), better
