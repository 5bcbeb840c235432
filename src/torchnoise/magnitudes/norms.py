"""Noise of a given norm: random directions, as adversarial noise of the same radius has one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..inject import inject
from ..oracle import Static, compute_dtype
from .magnitude import Magnitude
from .measured import other_axes

if TYPE_CHECKING:
    from ..noise import Call, Noise


@dataclass(frozen=True)
class OfNorm(Magnitude):
    """1 / |z|, with z the noise of one example at strength 1: so strength s gives noise of norm s.

    Only elements that the mask keeps count. An example whose noise is zero everywhere gets none. Gaussian noise under
    "l2" is uniformly distributed on the sphere of radius s (Muller, Commun. ACM 2, 1959).
    """

    norm: float

    @property
    def words(self) -> str:  # type: ignore[override]
        return "is the L2 norm" if self.norm == 2 else "is the Linf norm"

    def check(self, noise: Noise) -> None:
        from ..noise import RandomNoise

        super().check(noise)
        if not isinstance(noise, RandomNoise):
            raise ValueError(
                f"{type(noise).__name__}: a norm needs noise that can be drawn twice, allowed: sources such as Gaussian"
            )
        if not noise.scales_linearly:
            raise ValueError(
                f"{type(noise).__name__}: its strength is a {noise.unit_of_strength}, which a norm cannot scale; "
                "allowed: noise proportional to its strength, such as Gaussian"
            )

    def scale_for(self, x: Tensor, call: Call, noise: Noise) -> Tensor:
        with torch.no_grad():
            zero = torch.zeros_like(x, dtype=compute_dtype(x.dtype))
            one = torch.ones((), dtype=torch.float32, device=x.device)
            static = Static(noise, "add", call.batch_axis, call.first, call.stream)  # type: ignore[arg-type]
            drawn = inject(zero, static, one, call.address, None, call.keep)
            axes = other_axes(x, call.batch_axis)
            if not x.numel():  # torch has no largest element of none
                return drawn
            length = torch.linalg.vector_norm(drawn, self.norm, axes, keepdim=True) if axes else drawn.abs()
            return torch.where(length > 0, 1.0 / length, 0.0)
