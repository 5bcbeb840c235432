"""How a drawn value meets an element, for kernels. The same names and formulas as ../combine.py.

`v` is the drawn value, `scale` what it is relative to. Elements that a noise leaves alone never come here. The
constants are float32, which a float64 element widens without loss.
"""

from __future__ import annotations

from typing import Any

from .counts import counted
from .scalar import f32, scalar

_ZERO, _ONE = f32(0.0), f32(1.0)


@scalar
def add(x: Any, v: Any, scale: Any) -> Any:
    """x + scale v."""
    return x + v * scale


@scalar
def multiply(x: Any, v: Any, scale: Any) -> Any:
    """x (1 + scale v)."""
    return x * (v * scale + _ONE)


@scalar
def factor(x: Any, v: Any, scale: Any) -> Any:
    """x v, for kinds that draw the whole factor."""
    return x * v


@scalar
def replace(x: Any, v: Any, scale: Any) -> Any:
    """scale v."""
    return v * scale


@scalar
def count(x: Any, v: Any, scale: Any) -> Any:
    """x in quanta of scale^2, as many as v says."""
    return counted(x, v, scale)


@scalar
def erase(x: Any, v: Any, scale: Any) -> Any:
    """0: the gradient with respect to an element that was replaced."""
    return _ZERO


COMBINES = {f.__name__: f for f in (add, multiply, factor, replace, count, erase)}
