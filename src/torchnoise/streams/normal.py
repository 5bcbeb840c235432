"""From random words to normal deviates: Box-Muller with an integer angle.

Only integer operations, correctly rounded conversions, +, * and sqrt, in float32 and in one fixed order and never
fused: such a sequence has the same bits on every processor and under every compiler that keeps IEEE arithmetic.
Words (0, 1) of a block give elements (0, 1), words (2, 3) give (2, 3).

Largest |z|: sqrt(2 * 33 * ln 2) = 6.76.  The polynomials' errors are below 4e-8, under half a unit in the last place.

Source: Box, Muller, "A note on the generation of random normal deviates", Ann. Math. Statist. 29 (1958).
"""

from __future__ import annotations

import torch
from torch import Tensor

# Minimax fits in float64, rounded to float32.
# ln(1 + f) = f - f^2/2 + f^3 P(f) on [sqrt(1/2) - 1, sqrt(2) - 1]
LOG = (
    0.33333855867385864,
    -0.2500174641609192,
    0.19965465366840363,
    -0.1656569391489029,
    0.14876368641853333,
    -0.1434965282678604,
    0.08918821066617966,
)
# sin(pi/2 t) = t S(t^2) and cos(pi/2 t) = C(t^2) on [-1/2, 1/2]
SIN = (1.5707963705062866, -0.6459634900093079, 0.07968022674322128, -0.004602177068591118)
COS = (1.0, -1.2336970567703247, 0.2535986304283142, -0.020408352836966515)

SQRT_HALF_BITS = 0x3F3504F3  # float32 sqrt(1/2)
LN2 = 0.6931471824645996


def _horner(coefficients: tuple[float, ...], x: Tensor) -> Tensor:
    total = x * coefficients[-1] + coefficients[-2]
    for c in reversed(coefficients[:-2]):
        total = total * x + c
    return total


def _split_log(x: Tensor) -> tuple[Tensor, Tensor]:
    """Whole numbers n and values l with ln x = n ln 2 + l, |l| <= ln(2) / 2, for positive normal float32."""
    bits = x.view(torch.int32)
    exponent = (bits - SQRT_HALF_BITS) >> 23
    f = (bits - (exponent << 23)).view(torch.float32) - 1.0
    square = f * f
    return exponent, (f - square * 0.5) + (square * f) * _horner(LOG, f)


def log(x: Tensor) -> Tensor:
    """ln x for positive normal float32."""
    exponent, rest = _split_log(x)
    return exponent.to(torch.float32) * LN2 + rest


def log_uniform(word: Tensor, width: int = 32) -> Tensor:
    """ln U with U = (word + 1/2) / 2^width, for whole numbers of so many bits. May be a rounding error above 0."""
    exponent, rest = _split_log(word.to(torch.float32) + 0.5)
    return (exponent - width).to(torch.float32) * LN2 + rest


def _radius(word: Tensor) -> Tensor:
    """sqrt(-2 ln U) with U = (word + 1/2) / 2^32."""
    power = log_uniform(word) * -2.0
    # A word that rounds to 2^32 has U = 1; the fit may leave a positive rounding error, whose root is not a number, or
    # a zero, whose sign clamp() would keep when eager and drop when compiled.
    # The root is taken in float64: compilers may approximate a float32 root, and rounding the float64 root to float32
    # gives exactly the correctly rounded float32 root (Figueroa 1995: 53 >= 2 * 24 + 2 bits).
    return torch.where(power > 0, power, 0.0).to(torch.float64).sqrt().to(torch.float32)


def cos_sin(word: Tensor) -> tuple[Tensor, Tensor]:
    """cos and sin of 2 pi word / 2^32. The quadrant is taken off in integers, which is exact."""
    quadrant = (word + (1 << 29)) >> 30
    t = (word - (quadrant << 30)).to(torch.float32) * 2.0**-30
    square = t * t
    cos, sin = _horner(COS, square), t * _horner(SIN, square)
    odd = (quadrant & 1) == 1
    cos, sin = torch.where(odd, sin, cos), torch.where(odd, cos, sin)
    return (
        cos * (1 - ((quadrant + 1) & 2)).to(torch.float32),
        sin * (1 - (quadrant & 2)).to(torch.float32),
    )


def normal(words: Tensor) -> Tensor:
    """Standard normal deviates, one for each word: int64 [..., 4] -> float32 [..., 4]."""
    radius = _radius(words[..., 0::2])
    cos, sin = cos_sin(words[..., 1::2])
    return torch.stack((radius * cos, radius * sin), dim=-1).flatten(-2)
