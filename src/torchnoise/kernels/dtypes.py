"""Loading and storing elements, for kernels: half-width floats are widened to float32 and rounded once on the way back.

Written in integers, because processors' own conversions to bfloat16 flush small numbers to zero.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from .scalar import bits_of, f32, float_of, scalar, select, u16, u32

_16, _13 = u32(16), u32(13)
_ONE, _SIGN16, _ABS16, _ABS32 = u32(1), u32(0x8000), u32(0x7FFF), u32(0x7FFFFFFF)


@scalar
def same(x: Any) -> Any:
    """float32 and float64 are computed as they are."""
    return x


@scalar
def from_bfloat16(h: Any) -> Any:
    """The float32 with these upper 16 bits: exact."""
    return float_of(u32(u32(h) << _16))


@scalar
def to_bfloat16(x: Any) -> Any:
    """Round to the nearest, ties to even."""
    bits = u32(bits_of(x))
    rounded = u32(u32(bits + u32(0x7FFF)) + u32(u32(bits >> _16) & _ONE)) >> _16
    return u16(select(x == x, u32(rounded), u32(0x7FC0)))


@scalar
def from_float16(h: Any) -> Any:
    """The float32 of the same value: exact, subnormal numbers included."""
    sign = u32(u32(u32(h) & _SIGN16) << _16)
    shifted = u32(u32(u32(h) & _ABS16) << _13)
    normal = u32(shifted + u32(112 << 23))
    # a subnormal number is its fraction times 2^-24: put it under the leading bit of 2^-14, and take that off again
    small = u32(bits_of(float_of(u32(shifted + u32(113 << 23))) - f32(2.0**-14)))
    wide = select(shifted < u32(1 << 23), small, normal)
    wide = select(shifted >= u32(31 << 23), u32(shifted + u32(224 << 23)), wide)  # infinity, not a number
    return float_of(u32(wide | sign))


@scalar
def to_float16(x: Any) -> Any:
    """Round to the nearest, ties to even; too large becomes infinity."""
    bits = u32(bits_of(x))
    sign = u32(u32(bits >> _16) & _SIGN16)
    size = u32(bits & _ABS32)
    normal = u32(u32(u32(size + u32(0xFFF)) + u32(u32(size >> _13) & _ONE)) - u32(112 << 23)) >> _13
    # adding 1/2 leaves the subnormal's digits, rounded, at the end of the fraction
    small = u32(u32(bits_of(float_of(size) + f32(0.5))) - u32(126 << 23))
    half = select(size < u32(113 << 23), small, u32(normal))
    half = select(size >= u32(0x477FF000), u32(0x7C00), half)
    half = select(size > u32(0x7F800000), u32(0x7E00), half)
    return u16(half | sign)


class Width(NamedTuple):
    """How one dtype lies in memory and is computed: numpy names of both, and the conversions between them."""

    memory: str
    compute: str
    load: Any
    store: Any


WIDTHS = {
    "float32": Width("float32", "float32", same, same),
    "float64": Width("float64", "float64", same, same),
    "bfloat16": Width("uint16", "float32", from_bfloat16, to_bfloat16),
    "float16": Width("uint16", "float32", from_float16, to_float16),
}
