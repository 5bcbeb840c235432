"""Bernoulli noise: each element is hit or left alone."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..combine import Draw
from ..kernels import Kernel
from ..kernels.scalar import f32, f64, left_alone, scalar, select, u64
from ..noise import RandomNoise

_WORDS, _ONE = f64(2.0**32), f64(1.0)


@scalar
def _prepare(strength: Any, constants: Any) -> Any:
    value, _ = constants
    return u64(f64(strength) * _WORDS), f32(value)


@scalar
def _block(w0: Any, w1: Any, w2: Any, w3: Any, prepared: Any) -> Any:
    threshold, value = prepared
    return (
        select(u64(w0) < threshold, value, left_alone()),
        select(u64(w1) < threshold, value, left_alone()),
        select(u64(w2) < threshold, value, left_alone()),
        select(u64(w3) < threshold, value, left_alone()),
    )


@scalar
def _prepare_factor(strength: Any, constants: Any) -> Any:
    value, _ = constants
    p = f64(strength)
    gain = f32(_ONE / (_ONE - p * (_ONE - value)))
    return u64(p * _WORDS), f32(value) * gain, gain


@scalar
def _factors(w0: Any, w1: Any, w2: Any, w3: Any, prepared: Any) -> Any:
    threshold, hit, missed = prepared
    return (
        select(u64(w0) < threshold, hit, missed),
        select(u64(w1) < threshold, hit, missed),
        select(u64(w2) < threshold, hit, missed),
        select(u64(w3) < threshold, hit, missed),
    )


@dataclass(frozen=True)
class Bernoulli(RandomNoise):
    """Each element is hit with probability `strength`; what happens to it is `value`.

    Formula: with h ~ Bernoulli(p) for each element, multiply x v^h / (1 - p (1 - v)), which keeps the mean (v = 0 is
    dropout), replace (1 - h) x + h v m(x), add x + h v m(x). The elements hit at p are among those hit at any larger p.

    Args:
        strength: the probability p, from 0 to 1 (below 1 for v = 0 under "multiply").
        value: v. Under "replace" it may be an integer, for token ids.
        relative_to: what v is relative to under "add" and "replace".
        combine: "multiply" (the default), "add", "replace".

    Raises:
        ValueError: a probability outside [0, 1]; a value that is not finite; a mean that cannot be kept.

    >>> print(Bernoulli(0.5))
    Bernoulli(0.5)

    Source: Srivastava et al., "Dropout", JMLR 15 (2014); Vincent et al., "Extracting and composing robust features with
    denoising autoencoders", ICML 2008, section 2.3, for replacement (masking noise).
    """

    _: KW_ONLY
    combine: str = "multiply"
    value: float | int = 0.0

    largest: ClassVar[float] = 1.0
    has_hits: ClassVar[bool] = True
    scales_linearly: ClassVar[bool] = False
    unit_of_strength: ClassVar[str] = "probability"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not math.isfinite(self.value):
            raise ValueError(f"Bernoulli: value is {self.value!r}, allowed: a finite number")
        if self.combine == "multiply" and not 1.0 - self.strength * (1.0 - self.value) > 0.0:
            raise ValueError(
                f"Bernoulli: strength {self.strength:g} with value {self.value:g} leaves no mean to keep, "
                "allowed under 'multiply': strength * (1 - value) < 1"
            )

    def draw(self, words: Tensor, strength: Tensor) -> Draw:
        threshold = (strength.to(torch.float64) * 2.0**32).to(torch.int64)
        mean = 1.0 - strength.to(torch.float64) * (1.0 - self.value)
        dtype = torch.int64 if self.takes_integers() else torch.float32
        values = torch.full((), self.value, dtype=dtype, device=words.device)
        return Draw(values, words < threshold, (1.0 / mean).to(torch.float32))

    def takes_integers(self) -> bool:
        return self.combine == "replace" and isinstance(self.value, int)

    def kernel(self, combine: str) -> Kernel | None:
        if isinstance(self.value, int) and int(f32(self.value)) != self.value:
            return None  # a float64 tensor holds it, a draw does not
        if combine == "multiply":
            return Kernel(_prepare_factor, _factors, "factor", (self.value, 0.0))
        return Kernel(_prepare, _block, combine, (self.value, 0.0))
