"""Box-Muller for kernels: the same function as streams/normal.py, on numbers instead of tensors.

Two words give two deviates. The order of operations is part of the stream; see streams/normal.py for what each does.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..streams.normal import COS, LN2, LOG, SIN, SQRT_HALF_BITS
from .scalar import bits_of, f32, float_of, i32, scalar, select, u32

_L0, _L1, _L2, _L3, _L4, _L5, _L6 = (f32(c) for c in LOG)
_S0, _S1, _S2, _S3 = (f32(c) for c in SIN)
_C0, _C1, _C2, _C3 = (f32(c) for c in COS)
_SQRT_HALF, _LN2 = i32(SQRT_HALF_BITS), f32(LN2)
_ZERO, _HALF, _ONE, _MINUS_TWO = f32(0.0), f32(0.5), f32(1.0), f32(-2.0)
_MANTISSA, _ALL_BITS = i32(23), i32(32)
_EIGHTH, _TWO, _TOP, _TO_UNIT = u32(1 << 29), u32(2), u32(30), f32(2.0**-30)
_BIT = u32(1)


@scalar
def _split_log(x: Any) -> Any:
    """A whole number n and a value l with ln x = n ln 2 + l."""
    bits = bits_of(x)
    exponent = i32(i32(bits - _SQRT_HALF) >> _MANTISSA)
    f = float_of(i32(bits - i32(exponent << _MANTISSA))) - _ONE
    square = f * f
    p = f * _L6 + _L5
    p = p * f + _L4
    p = p * f + _L3
    p = p * f + _L2
    p = p * f + _L1
    p = p * f + _L0
    return exponent, (f - square * _HALF) + (square * f) * p


@scalar
def log(x: Any) -> Any:
    """ln x for positive normal float32."""
    exponent, rest = _split_log(x)
    return f32(exponent) * _LN2 + rest


@scalar
def log_uniform(word: Any, width: Any) -> Any:
    """ln U with U = (word + 1/2) / 2^width."""
    exponent, rest = _split_log(f32(word) + _HALF)
    return f32(i32(exponent - width)) * _LN2 + rest


@scalar
def radius(word: Any) -> Any:
    """sqrt(-2 ln U) with U = (word + 1/2) / 2^32."""
    power = log_uniform(word, _ALL_BITS) * _MINUS_TWO
    return f32(np.sqrt(select(power > _ZERO, power, _ZERO)))


@scalar
def cos_sin(word: Any) -> Any:
    """cos and sin of 2 pi word / 2^32, the quadrant taken off in integers."""
    quadrant = u32(u32(word + _EIGHTH) >> _TOP)  # modulo 4, which is all that counts
    t = f32(i32(u32(word - u32(quadrant << _TOP)))) * _TO_UNIT
    square = t * t
    cos = ((square * _C3 + _C2) * square + _C1) * square + _C0
    sin = t * (((square * _S3 + _S2) * square + _S1) * square + _S0)
    odd = (quadrant & _BIT) != u32(0)
    # the sign goes on as a bit
    minus_cos = u32(u32(u32(quadrant + _BIT) & _TWO) << _TOP)
    minus_sin = u32(u32(quadrant & _TWO) << _TOP)
    return (
        float_of(u32(u32(bits_of(select(odd, sin, cos))) ^ minus_cos)),
        float_of(u32(u32(bits_of(select(odd, cos, sin))) ^ minus_sin)),
    )


@scalar
def normal(w0: Any, w1: Any, w2: Any, w3: Any) -> Any:
    """Four standard normal deviates from the four words of a block."""
    r, s = radius(w0), radius(w2)
    c0, s0 = cos_sin(w1)
    c1, s1 = cos_sin(w3)
    return r * c0, r * s0, s * c1, s * s1
