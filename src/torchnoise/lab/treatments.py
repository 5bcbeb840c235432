"""What an arm of a comparison changes about training: a plan's noise, weight decay, augmentation; they merge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Generator, Tensor

from .. import Plan

# A batch's inputs and a generator of random numbers -> as many inputs, changed; labels stay.
Augment = Callable[[Tensor, Generator], Tensor]


@dataclass(frozen=True)
class Treatment:
    """plan: noise to attach;  weight_decay: in place of the model's default;  augment: applied to training batches
    (a function that other processes can import)."""

    plan: Plan | None = None
    weight_decay: float | None = None
    augment: Augment | None = None

    def beside(self, other: Treatment) -> Treatment:
        """Both at once: the plans' injections one after the other.

        Raises:
            ValueError: both set weight decay, or both augment.
        """
        for name in ("weight_decay", "augment"):
            if getattr(self, name) is not None and getattr(other, name) is not None:
                raise ValueError(f"two treatments both set {name}, allowed: one of them")
        plans = [t.plan for t in (self, other) if t.plan is not None]
        plan = Plan(*(one for p in plans for one in p)) if plans else None
        decay = other.weight_decay if self.weight_decay is None else self.weight_decay
        return Treatment(plan, decay, self.augment or other.augment)
