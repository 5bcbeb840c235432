"""Uniform noise on an interval, as a layer."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

from torch import Tensor, nn

from ..combine import Draw
from ..errors import check_number
from ..kernels import Kernel
from ..kernels.scalar import f32, scalar
from ..noise import RandomNoise
from ..sources import Uniform
from ..sources.uniform import unit
from .draw import with_noise


@scalar
def _prepare(strength: Any, constants: Any) -> Any:
    centre, _ = constants
    return strength, f32(centre)


@scalar
def _value(word: Any, half: Any, centre: Any) -> Any:
    return unit(word) * half + centre


@scalar
def _block(w0: Any, w1: Any, w2: Any, w3: Any, prepared: Any) -> Any:
    half, centre = prepared
    return _value(w0, half, centre), _value(w1, half, centre), _value(w2, half, centre), _value(w3, half, centre)


@dataclass(frozen=True)
class Interval(RandomNoise):
    """Uniform noise on centre -+ strength: what is added is rounded once, also in half precision."""

    _: KW_ONLY
    centre: float = 0.0

    def draw(self, words: Tensor, strength: Tensor) -> Draw:
        return Draw(Uniform(0.0).draw(words, strength).values + self.centre)

    def kernel(self, combine: str) -> Kernel:
        return Kernel(_prepare, _block, combine, (self.centre, 0.0))


class UniformNoise(nn.Module):
    """Additive uniform noise in training, identity in eval.

    Formula: y = x + u, u ~ U(low, high) for each element: mean (low + high) / 2, standard deviation
    (high - low) / sqrt(12). u has 2^24 equally likely values; dy/dx = 1.

    Args:
        low, high: the ends, in the unit of x. Where they are equal, y = x + low. They are fixed once the layer is made.

    Shapes: any.

    Raises:
        ValueError: low above high, or not finite. TypeError: an x that is not of floating point.

    >>> import torch
    >>> y = UniformNoise(0.0, 0.5)(torch.zeros(1000))
    >>> bool((y >= 0).all()), bool((y <= 0.5).all())
    (True, True)
    """

    def __init__(self, low: float = -0.1, high: float = 0.1) -> None:
        super().__init__()
        most = RandomNoise.largest
        check_number("UniformNoise: low", low, -most, most)
        check_number("UniformNoise: high", high, -most, most)
        if low > high:
            raise ValueError(f"UniformNoise: low, high are {low:g}, {high:g}, allowed: low <= high")
        self._ends = float(low), float(high)
        self._noise = Interval(0.0, centre=low / 2 + high / 2)

    def forward(self, x: Tensor) -> Tensor:
        low, high = self._ends
        if not self.training or (low == 0.0 and high == 0.0):
            return x
        if low == high:
            return x + low
        return with_noise(x, self._noise, high / 2 - low / 2, "UniformNoise")

    def extra_repr(self) -> str:
        low, high = self._ends
        return f"low={low:g}, high={high:g}"
