"""The gradients of `perturb`, in terms of itself: the same address again, under another combine."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .combine import COMBINES
from .oracle import compute_dtype

# (tensor, combine, scale) -> the tensor with what was drawn, combined in that way
Again = Callable[[Tensor, str, Tensor | None], Tensor]


def kept_x(x: Tensor, scale: Tensor | None, combine: str) -> Tensor | None:
    """x, where backward reads it: for a learned scale that multiplies it."""
    learns = scale is not None and scale.requires_grad
    return x if learns and COMBINES[combine].needs_x else None


def grad_of_x(grad: Tensor, scale: Tensor | None, combine: str, again: Again) -> Tensor:
    """The gradient with respect to x, out of that with respect to the result."""
    backward = COMBINES[combine].backward
    if backward is None:
        return grad
    return again(grad, backward, scale if COMBINES[backward].scaled else None)


def grad_of_scale(grad: Tensor, x: Tensor | None, scale: Tensor, again: Again) -> Tensor:
    """The gradient with respect to scale: grad (times x, for multiply) times what was drawn, where noise entered."""
    dtype = compute_dtype(grad.dtype)
    each = grad.to(dtype) * again(torch.zeros_like(grad, dtype=dtype), "replace", None)
    if x is not None:
        each = each * x
    return each.sum_to_size(scale.shape).to(scale.dtype)
