"""A standard deviation for each feature, measured while the model trains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from ..errors import check_number
from .magnitude import Magnitude
from .measured import other_axes

if TYPE_CHECKING:
    from ..noise import Call, Noise


@dataclass(frozen=True)
class RunningStd(Magnitude):
    """The standard deviation of each feature over the examples seen in training, for features of different units.

    Formula: std_f = sqrt(mean over all examples so far of (x_f - mean_f)^2), as of the end of the step before, so that
    all micro-batches of a step have one scale; with `momentum` m, moments move by m toward each step's. In the first
    step, where nothing is known yet, it is the standard deviation over the tensor's own batch. It is kept in the
    attachment's state_dict, not in the model's. Each process measures what it sees.

    Args:
        axis: where the features are.
        momentum: 0 < m <= 1 for a moving average; None weighs all examples alike.

    Raises:
        ValueError: a momentum outside its range.

    >>> import torchnoise as tn
    >>> print(tn.Gaussian(0.1, relative_to=tn.RunningStd()))
    Gaussian(0.1, relative_to=RunningStd(axis=-1, momentum=None))
    """

    axis: int = -1
    momentum: float | None = None

    words: ClassVar[str] = "of each feature's std"  # type: ignore[misc]
    can_measure_again: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.momentum is not None and check_number("RunningStd: momentum", self.momentum, 0.0, 1.0) == 0:
            raise ValueError("RunningStd: momentum is 0, allowed: more than 0, at most 1")

    def begin(self, model: nn.Module) -> dict[str, Any]:
        return {"count": torch.zeros((), dtype=torch.float64), "mean": torch.zeros(0), "square": torch.zeros(0)}

    def scale_for(self, x: Tensor, call: Call, noise: Noise) -> Tensor:
        if torch.compiler.is_compiling():
            raise RuntimeError(
                f"{call.site}: RunningStd remembers what it saw between forwards; run it without torch.compile"
            )
        if not call.memory:
            raise ValueError(f"{call.site or 'noisy'}: RunningStd needs a place to remember; use it by tn.attach")
        if not -x.dim() <= self.axis < x.dim():
            raise IndexError(f"{call.site}: RunningStd(axis={self.axis}) for a tensor of shape {tuple(x.shape)}")
        with torch.no_grad():
            seen = moments(x.detach(), call.keep, self.axis)
            if not call.repeats:
                left = call.scratch.get("moments")
                call.scratch["moments"] = (
                    seen if left is None else tuple(a + b for a, b in zip(left, seen, strict=True))
                )
            if float(call.memory["count"]) == 0.0:
                count, total, squares = seen
                mean, square = total / count.clamp(min=1), squares / count.clamp(min=1)
            else:
                mean, square = call.memory["mean"].to(x.device), call.memory["square"].to(x.device)
            if len(mean) != x.shape[self.axis]:
                raise ValueError(
                    f"{call.site}: {x.shape[self.axis]} features along axis {self.axis}, where there were {len(mean)}"
                )
            std = (square - mean.square()).clamp(min=0).sqrt()
            shape = [1] * x.dim()
            shape[self.axis] = -1
            return std.view(shape).to(torch.float64 if x.dtype == torch.float64 else torch.float32)

    def end_step(self, memory: dict[str, Any], scratch: Mapping[str, Any]) -> None:
        if "moments" not in scratch:
            return
        count, total, squares = (t.cpu() for t in scratch["moments"])
        if not float(count.max()):
            return
        mean, square = total / count.clamp(min=1), squares / count.clamp(min=1)
        before = float(memory["count"])
        now = float(count.max())
        weight = now / (before + now) if self.momentum is None or before == 0.0 else self.momentum
        old_mean, old_square = (memory["mean"], memory["square"]) if before else (mean, square)
        memory["count"] = torch.tensor(before + now, dtype=torch.float64)
        memory["mean"] = old_mean + weight * (mean - old_mean)
        memory["square"] = old_square + weight * (square - old_square)


def moments(x: Tensor, keep: Tensor | None, axis: int) -> tuple[Tensor, Tensor, Tensor]:
    """How many values each feature has, their sum and the sum of their squares: float64 [features]."""
    axes = other_axes(x, axis)
    wide = x.to(torch.float64)
    some = torch.ones_like(x, dtype=torch.bool) if keep is None else keep.expand_as(x)
    wide = torch.where(some, wide, 0.0)
    return some.sum(axes).to(torch.float64), wide.sum(axes), wide.square().sum(axes)
