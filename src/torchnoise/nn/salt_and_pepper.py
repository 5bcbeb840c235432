"""Salt-and-pepper noise as a layer."""

from __future__ import annotations

from torch import Tensor, nn

from ..errors import check_number
from ..sources.salt_and_pepper import SaltAndPepper
from .draw import with_noise


class SaltAndPepperNoise(nn.Module):
    """Throw elements to either end in training, identity in eval.

    Formula: each element becomes `low` or `high`, with equal chance, with probability prob together; others stay as
    they are. dy/dx is 1 where x stayed, 0 elsewhere.

    Args:
        prob: the probability, from 0 to 1. It may be changed between forwards.
        low, high: pepper and salt, low <= high. 0 and 1 are right for images scaled to [0, 1] only.

    Shapes: any; each element by itself, also each channel of a pixel. One key for each forward comes from torch's
    default generator.

    Raises:
        ValueError: a probability outside [0, 1]; low above high. TypeError: an x that is not of floating point.

    >>> import torch
    >>> layer = SaltAndPepperNoise(1.0, low=-1.0)
    >>> set(layer(torch.full((100,), 0.5)).tolist()) == {-1.0, 1.0}
    True

    Source: Gonzalez, Woods, "Digital image processing", 4th edition, section 5.2.
    """

    def __init__(self, prob: float, low: float = 0.0, high: float = 1.0) -> None:
        super().__init__()
        self.prob = check_number("SaltAndPepperNoise: prob", prob, 0.0, 1.0)
        self._noise = SaltAndPepper(0.0, low=low, high=high)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.prob == 0.0:
            return x
        return with_noise(x, self._noise, self.prob, "SaltAndPepperNoise")

    def extra_repr(self) -> str:
        return f"prob={self.prob:g}, low={self._noise.low:g}, high={self._noise.high:g}"
