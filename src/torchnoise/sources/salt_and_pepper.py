"""Salt-and-pepper noise: elements thrown to either end."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..combine import Draw
from ..errors import check_number
from ..kernels import Kernel
from ..kernels.scalar import f32, f64, left_alone, scalar, select, u32, u64
from ..noise import RandomNoise

_WORDS, _BIT, _NONE = f64(2.0**32), u32(1), u32(0)


@scalar
def _prepare(strength: Any, constants: Any) -> Any:
    low, high = constants
    return u64(f64(strength) * _WORDS), f32(low), f32(high)


@scalar
def _value(word: Any, threshold: Any, low: Any, high: Any) -> Any:
    return select(u64(word) < threshold, select(u32(word & _BIT) != _NONE, high, low), left_alone())


@scalar
def _block(w0: Any, w1: Any, w2: Any, w3: Any, prepared: Any) -> Any:
    threshold, low, high = prepared
    return (
        _value(w0, threshold, low, high),
        _value(w1, threshold, low, high),
        _value(w2, threshold, low, high),
        _value(w3, threshold, low, high),
    )


@dataclass(frozen=True)
class SaltAndPepper(RandomNoise):
    """Each element becomes `low` or `high`, with equal chance, with probability `strength` together.

    Formula: with h ~ Bernoulli(p) and b ~ Bernoulli(1/2) for each element, replace (1 - h) x + h m(x) (low or high by
    b). The elements hit at p are among those hit at any larger p, with the same values. 0 and 1 are right for images
    scaled to [0, 1] only: for standardised data give its own ends, such as low=-2, high=2, or use relative_to="max".

    Args:
        strength: the probability p, from 0 to 1.
        low, high: pepper and salt, low <= high.
        relative_to: what low and high are relative to; None for absolute values.

    Raises:
        ValueError: a probability outside [0, 1]; low above high, or beyond float32; another combine than "replace".

    >>> print(SaltAndPepper(0.05, low=-1.0))
    SaltAndPepper(0.05, low=-1.0)

    Source: Gonzalez, Woods, "Digital image processing", 4th edition, section 5.2; Vincent et al., "Stacked denoising
    autoencoders", JMLR 11 (2010), section 3.3.
    """

    _: KW_ONLY
    combine: str = "replace"
    low: float = 0.0
    high: float = 1.0

    allowed: ClassVar[tuple[str, ...]] = ("replace",)
    largest: ClassVar[float] = 1.0
    has_hits: ClassVar[bool] = True
    scales_linearly: ClassVar[bool] = False
    unit_of_strength: ClassVar[str] = "probability"

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            check_number(f"SaltAndPepper: {name}", getattr(self, name), -RandomNoise.largest, RandomNoise.largest)
        if self.low > self.high:
            raise ValueError(f"SaltAndPepper: low is {self.low:g} and high is {self.high:g}, allowed: low <= high")
        super().__post_init__()

    def draw(self, words: Tensor, strength: Tensor) -> Draw:
        threshold = (strength.to(torch.float64) * 2.0**32).to(torch.int64)
        ends = torch.tensor((self.low, self.high), dtype=torch.float32, device=words.device)
        return Draw(ends[words & 1], words < threshold)

    def kernel(self, combine: str) -> Kernel | None:
        if combine == "multiply":
            return None  # hits would be factors there
        return Kernel(_prepare, _block, combine, (float(self.low), float(self.high)))
