"""A network, a batch, and what noise does to the loss there: the same random numbers whatever the strength."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import nn

from ... import Plan, active, attach
from ..data import Data
from ..models import Model
from ..task import Task

LARGE = 1_000_000  # parameters, from which on a forward is dear
CHUNK = 256  # examples in a forward
FLOOR = 0.1  # of the loss at chance: what a rise is relative to, at least


class Effort(NamedTuple):
    """How much is asked: validation examples, draws of the noise for each, and draws where these say too little."""

    examples: int
    samples: int
    most_samples: int


FULL, SMALL = Effort(512, 8, 32), Effort(128, 1, 1)
FULL_BY_SITE, SMALL_BY_SITE = Effort(256, 4, 4), Effort(64, 1, 1)


def effort_for(net: nn.Module, by_site: bool = False) -> Effort:
    """Less for large networks, and for each of many sites."""
    large = sum(p.numel() for p in net.parameters()) > LARGE
    if by_site:
        return SMALL_BY_SITE if large else FULL_BY_SITE
    return SMALL if large else FULL


class Entered(NamedTuple):
    """What entered at a site: the signal's rms and the noise's; None for token ids."""

    site: str
    rms: float | None
    noise: float | None


class Probe:
    """Asks a network for its loss, without noise and with, in eval mode and without gradients.

    clean: the mean loss over the examples;  chance: that of the best constant answer, which knows how often each class
    (or which mean) comes;  base: what a rise is relative to, the clean loss, or a tenth of the loss at chance where
    the clean loss is less: near a loss of 0, a share of it means nothing.
    """

    def __init__(self, net: nn.Module, model: Model, data: Data, seed: int = 0, effort: Effort | None = None) -> None:
        self.effort = effort or effort_for(net)
        self.net, self.model, self.task, self.seed = net, model, data.task, seed
        part = data.validation.first(self.effort.examples)
        self.device = next((p.device for p in net.parameters()), torch.device("cpu"))
        self.x, self.y = part.x.to(self.device), part.y.to(self.device)
        self.chance = loss_at_chance(data.task, data.validation.y)
        with evaluating(net):
            self.clean = self._loss()
        self.base = max(self.clean, FLOOR * self.chance)

    def losses_under(self, plan: Plan, samples: int) -> list[float]:
        """The mean loss over the examples, for each draw of a plan's noise; infinite where it is not finite."""
        with evaluating(self.net), attach(self.net, plan, seed=self.seed, measure_every=0):
            return [self._sample(i) for i in range(samples)]

    def entered(self, plan: Plan) -> tuple[Entered, ...]:
        """What a plan's noise meets at each of its sites, and how strong it is there, in one forward."""
        with evaluating(self.net), attach(self.net, plan, seed=self.seed, measure_every=1) as noise:
            with active(self.net):
                self.model.outputs(self.net, self.x[:CHUNK])
            rows = noise.report().rows
        return tuple(Entered(row.site, _signal(row.rms, row.snr_db), row.rms) for row in rows)

    def _sample(self, number: int) -> float:
        with active(self.net, number):
            return self._loss()

    def _loss(self) -> float:
        total = 0.0
        for x, y in zip(self.x.split(CHUNK), self.y.split(CHUNK), strict=True):
            total += float(self.task.losses(self.model.outputs(self.net, x), y).double().sum())
        return total / len(self.y) if math.isfinite(total) else math.inf


def _signal(noise: float | None, snr_db: float | None) -> float | None:
    """The signal's rms, of the noise's and the ratio; None where there is no noise to tell it by."""
    if noise is None or snr_db is None or not math.isfinite(snr_db):
        return None
    return noise * 10.0 ** (snr_db / 20.0)


def loss_at_chance(task: Task, y: torch.Tensor) -> float:
    """The loss of the best answer that does not look at the inputs: the entropy of the classes, or the variance."""
    if task.classes is None:
        return float(y.double().var(correction=0))
    share = torch.bincount(y, minlength=len(task.classes)).double() / len(y)
    return float(-torch.special.xlogy(share, share).sum())


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """Eval mode without gradients; afterwards each module is in its own mode again."""
    modes = [(module, module.training) for module in net.modules()]
    net.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes:
            module.training = mode
