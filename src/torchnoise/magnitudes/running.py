"""A standard deviation for each feature, measured while the model trains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from ..errors import check_number
from ..oracle import compute_dtype
from .magnitude import Magnitude
from .measured import other_axes

if TYPE_CHECKING:
    from ..noise import Call, Noise


Moments = dict[str, Tensor]  # count, mean and var (population) of each feature: float64 [features]


@dataclass(frozen=True)
class RunningStd(Magnitude):
    """The standard deviation of each feature over the examples seen in training, for features of different units.

    Formula: std_f = sqrt(mean over all examples so far of (x_f - mean_f)^2), as of the end of the step before, so that
    all micro-batches of a step have one scale; with `momentum` m, mean and mean square move by m toward each step's. A
    feature of which nothing is known yet, as in the first step, has the standard deviation over the tensor's own batch:
    none in a batch of one. Values that a mask leaves out, or that are not finite, do not count. It is kept in the
    attachment's state_dict, not in the model's. Each process measures what it sees. Under torch.compile, the first step
    has a graph of its own.

    Args:
        axis: where the features are, not the examples.
        momentum: 0 < m <= 1 for a moving average; None weighs all examples alike.

    Raises:
        ValueError: a momentum outside its range; weights and gradients, which have no examples.
        IndexError: an axis that a tensor does not have, or that counts its examples.

    >>> import torchnoise as tn
    >>> print(tn.Gaussian(0.1, relative_to=tn.RunningStd()))
    Gaussian(0.1, relative_to=RunningStd(axis=-1, momentum=None))

    Source: Chan, Golub, LeVeque, "Algorithms for computing the sample variance", Amer. Statist. 37 (1983), for moments
    of parts put together without cancellation.
    """

    axis: int = -1
    momentum: float | None = None

    words: ClassVar[str] = "of each feature's std"  # type: ignore[misc]
    can_measure_again: ClassVar[bool] = False
    needs_examples: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.momentum is not None and check_number("RunningStd: momentum", self.momentum, 0.0, 1.0) == 0:
            raise ValueError("RunningStd: momentum is 0, allowed: more than 0, at most 1")

    def begin(self, model: nn.Module) -> dict[str, Any]:
        return {name: torch.zeros(0, dtype=torch.float64) for name in ("count", "mean", "var")}

    def scale_for(self, x: Tensor, call: Call, noise: Noise) -> Tensor:
        if not call.memory:
            raise ValueError(f"{call.site or 'noisy'}: RunningStd needs a place to remember; use it by tn.attach")
        self._check_shape(x, call)
        with torch.no_grad():
            seen = moments(x.detach(), call.keep, self.axis)
            if not call.repeats:
                before = call.scratch.get("measured")
                call.scratch["measured"] = seen if before is None else together(before, seen)
            var = seen["var"]
            if len(call.memory["count"]):
                known = {name: t.to(x.device) for name, t in call.memory.items()}
                var = torch.where(known["count"] > 0, known["var"], var)
            shape = [1] * x.dim()
            shape[self.axis] = -1
            return var.sqrt().view(shape).to(compute_dtype(x.dtype))

    def _check_shape(self, x: Tensor, call: Call) -> None:
        dims, shape = x.dim(), tuple(x.shape)
        if not -dims <= self.axis < dims or self.axis % dims == call.batch_axis:
            raise IndexError(
                f"{call.site}: RunningStd(axis={self.axis}) for a tensor of shape {shape}, allowed: an axis other than "
                "that of the examples"
            )
        for known in (call.memory, call.scratch.get("measured", {})):
            count = known.get("count")
            if count is not None and len(count) not in (0, shape[self.axis]):
                raise ValueError(
                    f"{call.site}: {shape[self.axis]} features along axis {self.axis}, where there were {len(count)}"
                )

    def end_step(self, memory: dict[str, Any], scratch: Mapping[str, Any]) -> None:
        if "measured" not in scratch:
            return
        seen = {name: t.cpu() for name, t in scratch["measured"].items()}
        memory.update(together(memory, seen, self.momentum) if len(memory["count"]) else seen)


def moments(x: Tensor, keep: Tensor | None, axis: int) -> Moments:
    """The moments of each feature, over the finite values that the mask keeps."""
    axes = other_axes(x, axis)
    wide = x.to(torch.float64)
    some = wide.isfinite() if keep is None else wide.isfinite() & keep
    count = some.sum(axes, keepdim=True)
    mean = torch.where(some, wide, 0.0).sum(axes, keepdim=True) / count.clamp(min=1)
    var = torch.where(some, wide - mean, 0.0).square().sum(axes, keepdim=True) / count.clamp(min=1)
    return {"count": count.flatten().to(torch.float64), "mean": mean.flatten(), "var": var.flatten()}


def together(old: Moments, new: Moments, momentum: float | None = None) -> Moments:
    """Moments of both, weighed by their counts; with a momentum, the old ones moved toward the new ones by that."""
    count = old["count"] + new["count"]
    weight = new["count"] / count.clamp(min=1)
    if momentum is not None:
        weight = torch.where((old["count"] > 0) & (new["count"] > 0), momentum, weight)
    apart = new["mean"] - old["mean"]
    return {
        "count": count,
        "mean": old["mean"] + weight * apart,
        "var": old["var"] + weight * (new["var"] - old["var"]) + weight * (1.0 - weight) * apart.square(),
    }
