"""What a strength is relative to. Each magnitude is a pure function (x, keep, batch_axis) -> scale, per example.

    None   absolute: scale 1, the unit of x itself
    "abs"  |x|, element by element
    "rms"  sqrt(mean x^2) of each example
    "std"  population standard deviation of each example

`keep` (bool, broadcastable to x) leaves padding out of the statistics, so that lengths are true lengths. Scales are
measured, not learned: no gradient flows through them. Without a batch axis the whole tensor is one example.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Magnitude = Callable[[Tensor, Tensor | None, int | None], Tensor]


def _mean(x: Tensor, keep: Tensor | None, batch_axis: int | None) -> Tensor:
    """Mean over all axes but the batch axis, kept as axes of size 1; 0 for an example with nothing kept."""
    axes = [a for a in range(x.dim()) if a != batch_axis]
    if keep is None:
        return x.mean(axes, keepdim=True) if axes else x
    keep = keep.expand_as(x)
    total = torch.where(keep, x, 0.0)
    if not axes:
        return total
    return total.sum(axes, keepdim=True) / keep.sum(axes, keepdim=True).clamp(min=1)


def absolute_value(x: Tensor, keep: Tensor | None, batch_axis: int | None) -> Tensor:
    """|x|."""
    return x.abs()


def rms(x: Tensor, keep: Tensor | None, batch_axis: int | None) -> Tensor:
    """sqrt(mean x^2) of each example."""
    return _mean(x.square(), keep, batch_axis).sqrt()


def std(x: Tensor, keep: Tensor | None, batch_axis: int | None) -> Tensor:
    """sqrt(mean (x - mean x)^2) of each example (population, not sample)."""
    return _mean((x - _mean(x, keep, batch_axis)).square(), keep, batch_axis).sqrt()


MAGNITUDES: dict[str, Magnitude] = {"abs": absolute_value, "rms": rms, "std": std}
