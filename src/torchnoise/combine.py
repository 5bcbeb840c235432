"""How noise meets the signal: add, multiply, replace. Each is a pure function with its gradient beside it.

A draw has `values` (float32) and, for kinds that touch only some elements, `hit` (bool).

    add        out = x + scale * values                              where hit
    multiply   out = x * (1 + scale * values)                        kinds that touch every element
               out = x * values where hit, x elsewhere, times `gain`    kinds with hits
    replace    out = scale * values                                  where hit
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Draw(NamedTuple):
    """What a source drew for a tensor.

    values: float32, of the tensor's shape or scalar;  hit: bool of the tensor's shape, None where all are hit;
    gain: float32 scalar that keeps the mean when hit elements are multiplied, None for 1.
    """

    values: Tensor
    hit: Tensor | None = None
    gain: Tensor | None = None


def _scaled(draw: Draw, scale: Tensor | None, dtype: torch.dtype) -> Tensor:
    values = draw.values if scale is None else draw.values * scale
    return values.to(dtype)


def _factor(draw: Draw, scale: Tensor | None, dtype: torch.dtype) -> Tensor:
    if draw.hit is None:
        return _scaled(draw, scale, dtype) + 1.0
    factor = torch.where(draw.hit, draw.values, 1.0)
    return (factor if draw.gain is None else factor * draw.gain).to(dtype)


class Combine(NamedTuple):
    """One way to combine, as pure functions.

    forward(x, draw, scale) -> out;  grad_x(grad, draw, scale) -> gradient with respect to x;
    grad_scale(grad, x, draw) -> elementwise gradient with respect to scale. needs_x: grad_scale reads x;
    redraws_for_x: grad_x reads the draw; takes_scale: a measured magnitude makes sense here.
    """

    name: str
    forward: Callable[[Tensor, Draw, Tensor | None], Tensor]
    grad_x: Callable[[Tensor, Draw, Tensor | None], Tensor]
    grad_scale: Callable[[Tensor, Tensor | None, Draw], Tensor]
    needs_x: bool = False
    redraws_for_x: bool = True
    takes_scale: bool = True


def _add(x: Tensor, draw: Draw, scale: Tensor | None) -> Tensor:
    out = x + _scaled(draw, scale, x.dtype)
    return out if draw.hit is None else torch.where(draw.hit, out, x)


def _multiply(x: Tensor, draw: Draw, scale: Tensor | None) -> Tensor:
    return x * _factor(draw, scale, x.dtype)


def _replace(x: Tensor, draw: Draw, scale: Tensor | None) -> Tensor:
    values = _scaled(draw, scale, x.dtype).expand_as(x)
    return values if draw.hit is None else torch.where(draw.hit, values, x)


def _hit_only(grad: Tensor, draw: Draw) -> Tensor:
    return grad if draw.hit is None else torch.where(draw.hit, grad, 0.0)


def _multiply_grad_scale(grad: Tensor, x: Tensor | None, draw: Draw) -> Tensor:
    assert x is not None
    return grad * x * draw.values


def _replace_grad_x(grad: Tensor, draw: Draw, scale: Tensor | None) -> Tensor:
    return torch.zeros_like(grad) if draw.hit is None else torch.where(draw.hit, 0.0, grad)


COMBINES = {
    "add": Combine(
        "add",
        _add,
        grad_x=lambda grad, draw, scale: grad,
        grad_scale=lambda grad, x, draw: _hit_only(grad, draw) * draw.values,
        redraws_for_x=False,
    ),
    "multiply": Combine(
        "multiply",
        _multiply,
        grad_x=lambda grad, draw, scale: grad * _factor(draw, scale, grad.dtype),
        grad_scale=_multiply_grad_scale,
        needs_x=True,
        takes_scale=False,  # it is relative to x already; only a learned scale goes with it
    ),
    "replace": Combine(
        "replace",
        _replace,
        grad_x=_replace_grad_x,
        grad_scale=lambda grad, x, draw: _hit_only(grad, draw) * draw.values,
    ),
}
