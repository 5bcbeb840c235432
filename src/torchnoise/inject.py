"""Noise that gradients flow through, drawn again in backward: what is saved is the address, never the noise.

`inject` is the door. Eager calls on plain tensors take the shortest way; everything that traces or wraps tensors
(torch.compile, fake tensors, dispatch modes) takes the operation registered with torch (operation.py).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import _get_current_dispatch_mode

from . import operation
from .combine import COMBINES
from .oracle import Static, address_stream, compute_dtype
from .perturb import perturb
from .streams.address import Address

_PLAIN = (Tensor, nn.Parameter)
_wrapped = torch._C._functorch.is_functorch_wrapped_tensor


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
    if _wrapped(x) or (scale is not None and scale.requires_grad):
        return Inject.apply(x, scale, strength, keep, *address, static)
    if x.requires_grad and torch.is_grad_enabled():
        return InjectInto.apply(x, static, (strength, address, scale, keep))
    return perturb(x, static, strength, address, scale, keep)


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
    drawn = perturb(nothing, static._replace(combine="replace"), strength, address, None, keep)
    each = grad.to(dtype) * drawn
    if x is not None:
        each = each * x
    return each.sum_to_size(scale.shape).to(scale.dtype)


class InjectInto(torch.autograd.Function):
    """`perturb` with its gradient with respect to x alone: the shortest way through autograd, and the usual one.

    The address and the mask lie on the node itself: there is nothing in them that a checkpoint could do without.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, static: Static, how: tuple) -> Tensor:
        backward = COMBINES[static.combine].backward
        if backward is not None:
            strength, address, _, keep = how
            # where a measured scale goes with a combine, its gradient with respect to x does not read it
            ctx.again = static._replace(combine=backward), strength, address, None, keep
        return perturb(x, static, *how)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        if hasattr(ctx, "again"):
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
        static: Static,
    ) -> Tensor:
        return perturb(x, static, strength, Address(key, step, examples), scale, keep)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        x, scale, strength, keep, key, step, examples, static = inputs
        learns = scale is not None and scale.requires_grad
        ctx.static, ctx.learns = static, learns
        kept_x = x if learns and COMBINES[static.combine].needs_x else None
        ctx.save_for_backward(kept_x, scale, strength, keep, key, step, examples)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, scale, strength, keep, key, step, examples = ctx.saved_tensors
        address, static = Address(key, step, examples), ctx.static
        backward = COMBINES[static.combine].backward
        grad_x, grad_scale = grad, None
        if backward is not None and ctx.needs_input_grad[0]:
            grad_x = inject(grad, static._replace(combine=backward), strength, address, scale, keep)
        if ctx.learns:
            grad_scale = grad_of_scale(grad, x, scale, static, strength, address, keep)
        return grad_x, grad_scale, None, None, None, None, None, None

    @staticmethod
    def vmap(info: Any, axes: tuple, *inputs: Any) -> tuple[Tensor, int]:
        """What a loop over the mapped axis gives: the noise is a function of the address, whoever maps over it."""
        return operation.one_by_one(info.batch_size, axes, inputs, lambda *i: inject_by(*i)), 0


def inject_by(
    x: Tensor,
    scale: Tensor | None,
    strength: Tensor,
    keep: Tensor | None,
    key: Tensor,
    step: Tensor,
    examples: Tensor,
    static: Static,
) -> Tensor:
    """`inject` with its arguments in the order of autograd's."""
    return inject(x, static, strength, Address(key, step, examples), scale, keep)
