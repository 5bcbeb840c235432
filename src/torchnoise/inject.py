"""Noise that gradients flow through, drawn again in backward: what is saved is the address, never the noise.

`inject` is the door. Eager calls on plain tensors take the shortest way; everything that traces or wraps tensors
(torch.compile, fake tensors, dispatch modes) takes the operation registered with torch (operation.py).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.utils._python_dispatch import _get_current_dispatch_mode

from . import operation
from .combine import COMBINES
from .oracle import Static, address_stream, compute_dtype
from .perturb import perturb
from .streams.address import Address

_PLAIN = (Tensor, nn.Parameter)
_functorch: Any = torch._C._functorch


class Opaque:
    """Keeps a value whole where torch.func would look for tensors in its parts."""

    __slots__ = ("static",)

    def __init__(self, static: Static) -> None:
        self.static = static


def inject(
    x: Tensor,
    static: Static,
    strength: Tensor,
    address: Address,
    scale: Tensor | None = None,
    keep: Tensor | None = None,
) -> Tensor:
    """x with noise, differentiable with respect to x and scale."""
    if static.stream is address_stream and (
        torch.compiler.is_compiling() or type(x) not in _PLAIN or _get_current_dispatch_mode() is not None
    ):
        return operation.inject(x, static, strength, address, scale, keep)
    if (
        (scale is not None and scale.requires_grad)
        or _functorch.peek_interpreter_stack() is not None
        or forward_ad._current_level >= 0
    ):
        return Inject.apply(x, scale, strength, keep, *address, Opaque(static))
    if x.requires_grad and torch.is_grad_enabled():
        return InjectInto.apply(x, static, (strength, address, scale, keep))
    return perturb(x, static, strength, address, scale, keep)


def scale_of_backward(combine: str, scale: Tensor | None) -> Tensor | None:
    """The scale, where the gradient with respect to x depends on it."""
    backward = COMBINES[combine].backward
    return scale if backward is not None and COMBINES[backward].scaled else None


def grad_of_scale(
    grad: Tensor,
    x: Tensor | None,
    scale: Tensor,
    static: Static,
    strength: Tensor,
    address: Address,
    keep: Tensor | None,
) -> Tensor:
    """The gradient with respect to scale: grad (times x, for multiply) times what was drawn, where noise entered."""
    dtype = compute_dtype(grad.dtype)
    nothing = torch.zeros_like(grad, dtype=dtype)
    drawn = inject(nothing, static._replace(combine="replace"), strength, address, None, keep)
    each = grad.to(dtype) * drawn
    if x is not None:
        each = each * x
    return each.sum_to_size(scale.shape).to(scale.dtype)


def _versions(*tensors: Tensor | None) -> tuple[int, ...]:
    return tuple(0 if t is None or t.is_inference() else t._version for t in tensors)


class InjectInto(torch.autograd.Function):
    """`perturb` with its gradient with respect to x alone: the shortest way through autograd, and the usual one.

    The address and the mask lie on the node itself: there is nothing in them that a checkpoint could do without.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, static: Static, how: tuple) -> Tensor:
        backward = COMBINES[static.combine].backward
        if backward is not None:
            strength, address, scale, keep = how
            scale = scale_of_backward(static.combine, scale)
            ctx.again = static._replace(combine=backward), strength, address, scale, keep
            ctx.versions = _versions(strength, *address, scale, keep)
        return perturb(x, static, *how)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        if hasattr(ctx, "again"):
            _, strength, address, scale, keep = ctx.again
            if _versions(strength, *address, scale, keep) != ctx.versions:
                raise RuntimeError(
                    "noise: what it was drawn from (address, strength, mask or scale) has been modified by an inplace "
                    "operation between forward and backward; give each forward tensors of its own"
                )
            grad = inject(grad, *ctx.again)
        return grad, None, None


class Inject(torch.autograd.Function):
    """`perturb` with both its gradients, in the form that torch.func's transforms take.

    Saved: the address, the mask, the scale. x itself is kept only where a learned scale multiplies it, for that
    scale's gradient.
    """

    @staticmethod
    def forward(
        x: Tensor,
        scale: Tensor | None,
        strength: Tensor,
        keep: Tensor | None,
        key: Tensor,
        step: Tensor,
        examples: Tensor,
        how: Opaque,
    ) -> Tensor:
        return perturb(x, how.static, strength, Address(key, step, examples), scale, keep)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        x, scale, strength, keep, key, step, examples, how = inputs
        learns = scale is not None and scale.requires_grad
        ctx.static, ctx.learns = how.static, learns
        kept_x = x if learns and COMBINES[how.static.combine].needs_x else None
        ctx.save_for_backward(kept_x, scale, strength, keep, key, step, examples)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, scale, strength, keep, key, step, examples = ctx.saved_tensors
        address, static = Address(key, step, examples), ctx.static
        backward = COMBINES[static.combine].backward
        grad_x, grad_scale = grad, None
        if backward is not None and ctx.needs_input_grad[0]:
            of_x = scale_of_backward(static.combine, scale)
            grad_x = inject(grad, static._replace(combine=backward), strength, address, of_x, keep)
        if ctx.learns:
            grad_scale = grad_of_scale(grad, x, scale, static, strength, address, keep)
        return grad_x, grad_scale, None, None, None, None, None, None

    @staticmethod
    def vmap(info: Any, axes: tuple, *inputs: Any) -> tuple[Tensor, int]:
        """What a loop over the mapped axis gives: the noise is a function of the address, whoever maps over it."""
        return operation.one_by_one(info.batch_size, axes, inputs, _by_position), 0


def _by_position(
    x: Tensor,
    scale: Tensor | None,
    strength: Tensor,
    keep: Tensor | None,
    key: Tensor,
    step: Tensor,
    examples: Tensor,
    how: Opaque,
) -> Tensor:
    return inject(x, how.static, strength, Address(key, step, examples), scale, keep)
