"""Coloured noise: neighbours along one axis are related, as in time series and images."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor

from ..combine import Draw
from ..errors import check_number
from ..noise import RandomNoise
from ..oracle import Signal

NAMES = {"white": 0.0, "pink": 1.0, "brown": 2.0, "blue": -1.0, "violet": -2.0}
# Normal deviates and filters are rounded to whole numbers, so that their convolution is one of whole numbers: computed
# by any FFT it is off by less than 1/2 and rounds to the one right answer, with the same bits on every machine.
DEVIATE, FILTER = 2.0**16, 2.0**18


@lru_cache(maxsize=32)
def colour_filter(length: int, exponent: float) -> Tensor:
    """The circular filter of 1 / f^(exponent / 2), of norm 1, in whole numbers: float64 [length].

    The frequency 0, where the power of pink noise is infinite, gets the power of the lowest other one.
    """
    # on the CPU, whatever the default device is: the filter is kept for all callers
    frequency = torch.arange(length // 2 + 1, dtype=torch.float64, device="cpu").clamp(min=1.0)
    response = frequency ** (-exponent / 2.0)
    spectrum = torch.fft.irfft(response.to(torch.complex128), n=length)
    return (spectrum / spectrum.norm() * FILTER).round()


def convolve(z: Tensor, taps: Tensor) -> Tensor:
    """The circular convolution of whole numbers along the last axis, exactly: float64 -> float64."""
    length = z.shape[-1]
    return torch.fft.irfft(torch.fft.rfft(z) * torch.fft.rfft(taps), n=length).round()


@dataclass(frozen=True)
class Colored(RandomNoise):
    """Gaussian noise of power spectrum 1 / f^exponent along one axis, of standard deviation `strength`.

    Formula: add x + s m(x) c, with c = z * h: white Gaussian z for each element, convolved along `axis` with the
    circular filter h of frequency response f^(-exponent / 2) and norm 1. Every element has the same variance s^2;
    neighbours are related, the more the larger the exponent: pink noise drifts, brown noise wanders. The filter closes
    the axis to a ring, so the last element is the first one's neighbour; and an example's noise depends on the axis's
    length, padding included. Up to length 3 there is nothing to colour, and the noise is white.

    Args:
        strength: s >= 0, in the unit of x, or in units of m(x).
        exponent: a number from -4 to 4, or "white" (0), "pink" (1), "brown" (2), "blue" (-1), "violet" (-2).
        axis: time, say, as an axis of the tensor (the batch's axis included in the count); -1 is the last one.
        relative_to: what s is relative to; see torchnoise.magnitudes.
        combine: "add", "multiply", "replace".

    Raises:
        ValueError: an unknown colour or an exponent outside its range; a negative, infinite or NaN strength.
        IndexError: an axis that the tensor does not have, or that counts its examples.

    >>> print(Colored(0.1, exponent="brown", axis=1))
    Colored(0.1, exponent='brown', axis=1)

    Source: Timmer, Koenig, "On generating power law noise", Astron. Astrophys. 300 (1995); Eberhard et al., "Pink noise
    is all you need", ICLR 2023, for reinforcement learning.
    """

    exponent: float | str = "pink"
    axis: int = -1

    of_one_element: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if isinstance(self.exponent, str):
            if self.exponent not in NAMES:
                raise ValueError(
                    f"Colored: exponent is {self.exponent!r}, allowed: {', '.join(map(repr, NAMES))}, or a number"
                )
        else:
            check_number("Colored: exponent", self.exponent, -4.0, 4.0)
        if isinstance(self.axis, bool) or not isinstance(self.axis, int):
            raise ValueError(f"Colored: axis is {self.axis!r}, allowed: a whole number")
        super().__post_init__()

    def unit_std(self) -> float:
        return 1.0

    def draw_for(self, signal: Signal, strength: Tensor) -> Draw:
        dims, batch_axis = signal.x.dim(), signal.batch_axis
        if not -dims <= self.axis < dims or (batch_axis is not None and self.axis % dims == batch_axis):
            raise IndexError(
                f"Colored: axis {self.axis} of shape {tuple(signal.x.shape)}, allowed: an axis other than that of the "
                "examples"
            )
        white = (signal.deviates().movedim(self.axis, -1).to(torch.float64) * DEVIATE).round()
        length = white.shape[-1]
        if length < 2 or white.numel() == 0:
            return Draw((white.movedim(-1, self.axis) * (1.0 / DEVIATE)).to(torch.float32) * strength)
        exponent = NAMES[self.exponent] if isinstance(self.exponent, str) else float(self.exponent)
        taps = colour_filter(length, exponent).to(white.device)
        values = convolve(white, taps) * (1.0 / (DEVIATE * FILTER))
        return Draw(values.to(torch.float32).movedim(-1, self.axis) * strength)
