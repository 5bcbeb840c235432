"""How noise meets the signal: add, multiply, replace. Each is a pure function that names the one its gradient takes.

A draw has `values` (float32) and, for kinds that touch only some elements, `hit` (bool).

    add        out = x + scale * values                              where hit
    multiply   out = x * (1 + scale * values)                        kinds that touch every element
               out = x * values where hit, x elsewhere, times `gain`    kinds with hits
    replace    out = scale * values                                  where hit
    count      out = x in quanta of scale^2, as many as a uniform value in (-1, 1) says (streams/counts.py)
    erase      out = 0                                               where hit: the gradient of replace
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from .streams.counts import counted


class Draw(NamedTuple):
    """What a source drew for a tensor.

    values: float32, of the tensor's shape or scalar;  hit: bool of the tensor's shape, None where all are hit;
    gain: float32 scalar that keeps the mean when hit elements are multiplied, None for 1.
    """

    values: Tensor
    hit: Tensor | None = None
    gain: Tensor | None = None


def _scaled(draw: Draw, scale: Tensor | None, dtype: torch.dtype) -> Tensor:
    values = draw.values.to(dtype)
    return values if scale is None else values * scale.to(dtype)


def _factor(draw: Draw, scale: Tensor | None, dtype: torch.dtype) -> Tensor:
    if draw.hit is None:
        return _scaled(draw, scale, dtype) + 1.0
    factor = torch.where(draw.hit, draw.values, 1.0)
    return (factor if draw.gain is None else factor * draw.gain).to(dtype)


class Combine(NamedTuple):
    """One way to combine: forward(x, draw, scale) -> out.

    backward: the combine that makes the gradient with respect to x out of the gradient with respect to out, at the same
    address; None where they are the same. needs_x: the gradient with respect to scale reads x; takes_scale: a measured
    magnitude makes sense here; spares_misses: elements that a kind with hits misses keep their bits;
    scaled: out depends on scale.
    """

    name: str
    forward: Callable[[Tensor, Draw, Tensor | None], Tensor]
    backward: str | None
    needs_x: bool = False
    takes_scale: bool = True
    spares_misses: bool = True
    scaled: bool = True


def _add(x: Tensor, draw: Draw, scale: Tensor | None) -> Tensor:
    out = x + _scaled(draw, scale, x.dtype)
    return out if draw.hit is None else torch.where(draw.hit, out, x)


def _multiply(x: Tensor, draw: Draw, scale: Tensor | None) -> Tensor:
    return x * _factor(draw, scale, x.dtype)


def _replace(x: Tensor, draw: Draw, scale: Tensor | None) -> Tensor:
    values = _scaled(draw, scale, x.dtype).expand_as(x)
    return values if draw.hit is None else torch.where(draw.hit, values, x)


def _count(x: Tensor, draw: Draw, scale: Tensor | None) -> Tensor:
    return counted(x, draw.values, x.new_ones(()) if scale is None else scale)


def _erase(x: Tensor, draw: Draw, scale: Tensor | None) -> Tensor:
    return torch.zeros_like(x) if draw.hit is None else torch.where(draw.hit, 0.0, x)


COMBINES = {
    "add": Combine("add", _add, backward=None),
    # multiply is relative to x already; only a learned scale goes with it
    "multiply": Combine("multiply", _multiply, "multiply", needs_x=True, takes_scale=False, spares_misses=False),
    "replace": Combine("replace", _replace, backward="erase"),
    # in the mean x, so gradients go straight through; the scale is the strength itself
    "count": Combine("count", _count, backward=None, takes_scale=False),
    "erase": Combine("erase", _erase, backward="erase", takes_scale=False, scaled=False),
}
