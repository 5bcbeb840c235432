"""The small language that kernels are written in: plain functions of numbers, compiled later by whoever runs them.

A function marked `@scalar` uses only arithmetic on typed numbers and other marked functions. It runs as it stands in
Python (slowly, which tests use), and Numba compiles it for the CPU (compile.py). Numba is loaded only when something
has to be compiled, so nothing in this module may import it.

Two rules keep results equal to the last bit on every processor. Float operations are +, *, conversions and sqrt, in one
fixed order, never fused. A literal has no type of its own: write f32(0.5), u32(7).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

u16, u32, u64 = np.uint16, np.uint32, np.uint64
i32, i64, f32, f64 = np.int32, np.int64, np.float32, np.float64

F = TypeVar("F", bound=Callable[..., Any])


def scalar(function: F) -> F:
    """Mark a function that kernels may call."""
    function.is_scalar = True  # type: ignore[attr-defined]
    return function


def is_scalar(thing: object) -> bool:
    """Whether a function was marked."""
    return getattr(thing, "is_scalar", False)


@scalar
def bits_of(x: Any) -> Any:
    """The bits of a float32 as an int32."""
    return f32(x).view(i32)


@scalar
def float_of(bits: Any) -> Any:
    """The float32 with these bits (int32 or uint32)."""
    return u32(bits).view(f32)


@scalar
def select(condition: Any, yes: Any, no: Any) -> Any:
    """yes where the condition holds, no elsewhere, without a branch."""
    return yes if condition else no


# Draws of elements that a noise does not touch, such as a dropout's misses. It is not a number, and not the one that
# arithmetic makes, so that a strength that is not a number is seen in the result.
_LEFT_ALONE = u32(0x7FEDBEEF)


@scalar
def left_alone() -> Any:
    """The value that marks an element as left alone, whatever the combine."""
    return float_of(_LEFT_ALONE)


@scalar
def is_left_alone(value: Any) -> Any:
    """Whether a value is that mark."""
    return u32(bits_of(value)) == _LEFT_ALONE
