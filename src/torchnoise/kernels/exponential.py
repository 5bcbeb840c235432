"""exp(x) - 1 for kernels: the same function as streams/exponential.py, on numbers instead of tensors."""

from __future__ import annotations

from typing import Any

from ..streams.exponential import HIGHEST, LN2, LOWEST, PER_LN2, SERIES
from .scalar import f64, float_of, i32, scalar, select

_E1, _E2, _E3, _E4, _E5, _E6, _E7, _E8, _E9, _E10, _E11 = (f64(c) for c in SERIES)
_PER_LN2, _LN2, _LOWEST, _HIGHEST = f64(PER_LN2), f64(LN2), f64(LOWEST), f64(HIGHEST)
_SHIFT, _BACK, _ONE = f64(1024.5), i32(1024), f64(1.0)
_BIAS, _MANTISSA = i32(127), i32(23)


@scalar
def expm1(x: Any) -> Any:
    """exp(x) - 1 in float64."""
    x = select(x < _LOWEST, _LOWEST, x)
    x = select(x > _HIGHEST, _HIGHEST, x)
    n = i32(i32(x * _PER_LN2 + _SHIFT) - _BACK)
    r = x - f64(n) * _LN2
    p = r * _E11 + _E10
    p = p * r + _E9
    p = p * r + _E8
    p = p * r + _E7
    p = p * r + _E6
    p = p * r + _E5
    p = p * r + _E4
    p = p * r + _E3
    p = p * r + _E2
    p = p * r + _E1
    power = f64(float_of(i32(i32(n + _BIAS) << _MANTISSA)))
    return (power - _ONE) + power * (r * p)
