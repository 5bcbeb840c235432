"""Noise at a given signal-to-noise ratio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from ..errors import check_number
from ..oracle import compute_dtype
from .magnitude import Magnitude
from .measured import mean_over, other_axes

if TYPE_CHECKING:
    from ..noise import Call, Noise


@dataclass(frozen=True)
class SNR(Magnitude):
    """Noise so strong that signal and noise are `db` decibels apart, at strength 1.

    Formula: the noise's standard deviation is s rms(x) 10^(-db / 20), so SNR = 20 log10(rms(x) / (s sigma)) = db at
    s = 1. rms is taken over each example, or over each channel of each example. Whatever the source: a uniform or
    Laplace noise is scaled by its own standard deviation. 20 dB is noise of a tenth of the signal's rms, 0 dB is as
    loud as the signal.

    Args:
        db: the ratio in decibels, from -600 to 600.
        per: "example" or "channel".
        axis: where the channels are, for per="channel".

    Raises:
        ValueError: a ratio outside its range; an unknown `per`; a source without a standard deviation; noise that
            replaces the signal.

    >>> import torch, torchnoise as tn
    >>> x = torch.full((2, 50_000), 3.0)
    >>> noisy = tn.noisy(x, tn.Gaussian(1.0, relative_to=tn.SNR(20)), tn.address(examples=2))
    >>> round(float((noisy - x).std()), 2)
    0.3
    """

    db: float
    per: str = "example"
    axis: int = 1

    words: ClassVar[str] = "at an SNR"  # type: ignore[misc]

    def __post_init__(self) -> None:
        check_number("SNR: db", self.db, -600.0, 600.0)
        if self.per not in ("example", "channel"):
            raise ValueError(f"SNR: per is {self.per!r}, allowed: 'example', 'channel'")

    def check(self, noise: Noise) -> None:
        super().check(noise)
        if noise.combine == "replace":
            raise ValueError(
                f"{type(noise).__name__}: combine='replace' leaves no signal that SNR could compare with, allowed: "
                "'add', or relative_to='rms'"
            )
        if noise.unit_std() is None:
            raise ValueError(
                f"{type(noise).__name__}: its noise has no standard deviation that SNR could scale, allowed: noise "
                "proportional to its strength, such as Gaussian, Uniform or Laplace"
            )

    def scale_for(self, x: Tensor, call: Call, noise: Noise) -> Tensor:
        channel = None
        if self.per == "channel":
            if not -x.dim() <= self.axis < x.dim():
                raise IndexError(f"{call.site}: SNR(axis={self.axis}) for a tensor of shape {tuple(x.shape)}")
            channel = self.axis
        factor = 10.0 ** (-self.db / 20.0) / (noise.unit_std() or 1.0)
        with torch.no_grad():
            wide = x.detach().to(compute_dtype(x.dtype))
            return mean_over(wide.square(), call.keep, other_axes(x, call.batch_axis, channel)).sqrt() * factor
