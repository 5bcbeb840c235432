"""Scales that are measured on x: pure functions (x, keep, batch_axis) -> scale, per example.

`keep` (bool, broadcastable to x) leaves padding out of the statistics, so that lengths are true lengths. Scales are
measured, not learned: no gradient flows through them. Without a batch axis the whole tensor is one example.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..oracle import compute_dtype
from .magnitude import Magnitude

if TYPE_CHECKING:
    from ..noise import Call, Noise

Measure = Callable[[Tensor, Tensor | None, int | None], Tensor]


def other_axes(x: Tensor, *kept: int | None) -> list[int]:
    """All axes of x but these."""
    stay = {a % x.dim() for a in kept if a is not None}
    return [a for a in range(x.dim()) if a not in stay]


def mean_over(x: Tensor, keep: Tensor | None, axes: list[int]) -> Tensor:
    """Mean over axes, kept as axes of size 1; 0 where nothing is kept."""
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
    return mean_over(x.square(), keep, other_axes(x, batch_axis)).sqrt()


def std(x: Tensor, keep: Tensor | None, batch_axis: int | None) -> Tensor:
    """sqrt(mean (x - mean x)^2) of each example (population, not sample)."""
    axes = other_axes(x, batch_axis)
    return mean_over((x - mean_over(x, keep, axes)).square(), keep, axes).sqrt()


def largest(x: Tensor, keep: Tensor | None, batch_axis: int | None) -> Tensor:
    """max |x| of each example."""
    axes = other_axes(x, batch_axis)
    found = x.abs() if keep is None else torch.where(keep, x.abs(), 0.0)
    return found.amax(axes, keepdim=True) if axes and x.numel() else found


def size(x: Tensor, keep: Tensor | None, batch_axis: int | None) -> Tensor:
    """1 / sqrt(n), n the number of elements of each example; with a mask, of those that it keeps.

    Uniform noise of half width alpha / sqrt(length * width) is NEFTune's; its norm is alpha / sqrt(3) for any length.
    """
    axes = other_axes(x, batch_axis)
    everything = torch.ones_like(x, dtype=torch.bool) if keep is None else keep.expand_as(x)
    return everything.sum(axes, keepdim=True).clamp(min=1).to(x.dtype).rsqrt()


@dataclass(frozen=True)
class Measured(Magnitude):
    """A measure of x alone."""

    measure: Measure
    words: str
    of_one_element: bool = False

    def scale_for(self, x: Tensor, call: Call, noise: Noise) -> Tensor:
        with torch.no_grad():
            return self.measure(x.detach().to(compute_dtype(x.dtype)), call.keep, call.batch_axis)
