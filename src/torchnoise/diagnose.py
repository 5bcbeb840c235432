"""Which noise made a loss infinite or not a number: the last forward again, with a look at each site."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from .patch import with_carrier

if TYPE_CHECKING:
    from .frame import Frame
    from .runner import Runner
    from .wiring import Carrier


class LastForward(NamedTuple):
    """What it takes to run a step's last forward again."""

    frame: Frame
    carrier: Carrier
    original: Callable
    args: tuple
    kwargs: dict


class Diagnosis:
    """Finds the first site whose tensor is not finite."""

    def __init__(self) -> None:
        self.found: str | None = None

    def look(self, site: str, noise: str, strength: float, x: Tensor, out: Tensor) -> None:
        """One site in the repeated forward: the first trouble is kept."""
        if self.found is not None or torch.isfinite(out).all():
            return
        made = "by its noise" if torch.isfinite(x).all() else "before its noise"
        self.found = f"first seen at {site}, {made} ({noise}, strength now {strength:.4g})"


def why_not_finite(runner: Runner) -> str:
    """A half sentence for the error. Buffers and torch's generators are put back as they were."""
    model, last = runner.model, runner.last
    for name, parameter in model.named_parameters():
        if not torch.isfinite(parameter).all():
            gradient = [p for p in runner.points if p.role.startswith("gradient") and p.path == name]
            noise = f", whose gradient had {gradient[0].injection.noise}" if gradient else ""
            return f"the parameter {name!r} is not finite since an earlier step{noise}"
    if last is None:
        return "the site is not known: no forward of this step ran without torch.compile"
    buffers = [(b, b.clone()) for b in model.buffers()]
    runner.diagnosis, outer = Diagnosis(), runner.frame
    runner.frame = last.frame.replay(0)
    try:
        with torch.no_grad(), torch.random.fork_rng():
            with_carrier(runner.frame, last.carrier, last.original, last.args, last.kwargs)
            return runner.diagnosis.found or "every site's tensor is finite, so it arose after them"
    finally:
        runner.diagnosis, runner.frame = None, outer
        with torch.no_grad():
            for buffer, value in buffers:
                buffer.copy_(value)
