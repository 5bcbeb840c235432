"""Poisson counts for kernels: the same functions as streams/counts.py, on numbers instead of tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..streams.counts import FAR, LARGEST, NEAR, ROOT2, SMALL, TERMS
from .exponential import expm1
from .normal import log
from .scalar import f32, f64, i64, scalar, select

_N0, _N1, _N2, _N3, _N4, _N5, _N6, _N7, _N8 = (f32(c) for c in NEAR)
_F0, _F1, _F2, _F3, _F4, _F5, _F6, _F7, _F8 = (f32(c) for c in FAR)
_ONE, _ZERO, _FIVE, _MIDDLE, _THREE, _ROOT2 = f32(1.0), f32(0.0), f32(5.0), f32(2.5), f32(3.0), f32(ROOT2)
(_I1, _I2, _I3, _I4, _I5, _I6, _I7, _I8, _I9, _I10, _I11, _I12, _I13, _I14, _I15, _I16, _I17, _I18, _I19, _I20, _I21,
 _I22, _I23, _I24, _I25, _I26, _I27, _I28) = (f64(1.0 / k) for k in range(1, TERMS + 1))  # fmt: skip
_NOTHING, _HALF, _WHOLE, _SMALL, _LARGEST = f64(0.0), f64(0.5), f64(1.0), f64(SMALL), f64(LARGEST)
_TWO, _PER6, _72 = f64(2.0), f64(1.0 / 6.0), f64(72.0)
_PER270, _7_810, _8_405 = f64(1.0 / 270.0), f64(7.0 / 810.0), f64(8.0 / 405.0)


@scalar
def normal_quantile(v: Any) -> Any:
    """The standard normal deviate below which a share (1 + v) / 2 lies."""
    w = -log((_ONE - v) * (v + _ONE))
    w = select(w > _ZERO, w, _ZERO)
    a, b = w - _MIDDLE, f32(np.sqrt(f64(w))) - _THREE
    p = a * _N8 + _N7
    p = p * a + _N6
    p = p * a + _N5
    p = p * a + _N4
    p = p * a + _N3
    p = p * a + _N2
    p = p * a + _N1
    p = p * a + _N0
    q = b * _F8 + _F7
    q = q * b + _F6
    q = q * b + _F5
    q = q * b + _F4
    q = q * b + _F3
    q = q * b + _F2
    q = q * b + _F1
    q = q * b + _F0
    return select(w < _FIVE, p, q) * (v * _ROOT2)


@scalar
def _next(count: Any, term: Any, reached: Any, u: Any, rate: Any, inverse: Any) -> Any:
    """One count further."""
    count = count + select(u >= reached, _WHOLE, _NOTHING)
    term = term * rate * inverse
    return count, term, reached + term


@scalar
def _four(count: Any, term: Any, reached: Any, u: Any, rate: Any, i: Any, j: Any, k: Any, m: Any) -> Any:
    count, term, reached = _next(count, term, reached, u, rate, i)
    count, term, reached = _next(count, term, reached, u, rate, j)
    count, term, reached = _next(count, term, reached, u, rate, k)
    return _next(count, term, reached, u, rate, m)


@scalar
def inverted(v: Any, rate: Any) -> Any:
    """A count of a small rate. Written out, because a loop would keep the one around it from using vectors."""
    u = (v + _WHOLE) * _HALF
    term = expm1(-rate) + _WHOLE
    count, reached = _NOTHING, term
    count, term, reached = _four(count, term, reached, u, rate, _I1, _I2, _I3, _I4)
    count, term, reached = _four(count, term, reached, u, rate, _I5, _I6, _I7, _I8)
    count, term, reached = _four(count, term, reached, u, rate, _I9, _I10, _I11, _I12)
    count, term, reached = _four(count, term, reached, u, rate, _I13, _I14, _I15, _I16)
    count, term, reached = _four(count, term, reached, u, rate, _I17, _I18, _I19, _I20)
    count, term, reached = _four(count, term, reached, u, rate, _I21, _I22, _I23, _I24)
    count, term, reached = _four(count, term, reached, u, rate, _I25, _I26, _I27, _I28)
    return count


@scalar
def expanded(z: Any, rate: Any) -> Any:
    """A count of a large rate."""
    root, square = np.sqrt(rate), z * z
    first = rate + root * z + (square + _TWO) * _PER6
    second = (square + _TWO) * z / (root * _72)
    third = ((square * _PER270 + _7_810) * square - _8_405) / rate
    middle = first - second + third
    return f64(i64(select(middle > _NOTHING, middle, _NOTHING)))


@scalar
def counted(x: Any, v: Any, strength: Any) -> Any:
    """x as if counted in quanta of strength^2: float64."""
    wide, s = f64(x), f64(strength)
    quantum = s * s
    rate = select(wide < _NOTHING, -wide, wide) / select(quantum > _NOTHING, quantum, _WHOLE)
    sensible = rate < _LARGEST
    each = select(sensible, rate, _NOTHING)
    small = each <= _SMALL
    few = inverted(f64(v), select(small, each, _NOTHING))
    many = expanded(f64(normal_quantile(v)), select(small, _SMALL, each))
    made = select(small, few, many) * quantum
    return select(sensible, select(wide < _NOTHING, -made, made), wide)
