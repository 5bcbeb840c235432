"""How tensors lie in memory, as the rows that a kernel walks: the fewest axes that all operands share.

Element e of an example runs row-major over the tensor without its batch axis. A row is a run of e along which each
operand moves by one stride; contiguous tensors are one row an example, whatever their shape.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

Strides = tuple[int, ...]


class Rows(NamedTuple):
    """examples, rows of each, elements of a row; along, example: strides by operand; outer: (size, *strides) each."""

    examples: int
    rows: int
    length: int
    along: Strides
    example: Strides
    outer: tuple[Strides, ...]


@lru_cache(maxsize=1024)
def rows(shape: tuple[int, ...], batch_axis: int | None, examples: int, strides: tuple[Strides, ...]) -> Rows:
    """The rows of operands that have one shape and these strides. Without a batch axis, all is one example."""
    axes = [(size, *(s[a] for s in strides)) for a, size in enumerate(shape)]
    none = (0,) * len(strides)
    example = none
    if batch_axis is None:
        examples = 1
    else:
        size, *by = axes.pop(batch_axis)
        each = size // examples  # successive entries that belong to one example
        example = tuple(each * s for s in by)
        axes.insert(0, (each, *by))
    merged: list[Strides] = []
    for axis in axes:
        if axis[0] == 1:
            continue
        if merged and all(o == axis[0] * i for o, i in zip(merged[-1][1:], axis[1:], strict=True)):
            axis = (merged.pop()[0] * axis[0], *axis[1:])
        merged.append(axis)
    length, *along = merged.pop() if merged else (1, *none)
    count = 1
    for axis in merged:
        count *= axis[0]
    return Rows(examples, count, length, tuple(along), example, tuple(merged))
