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
from .gradients import grad_of_scale, grad_of_x, kept_x
from .oracle import Static, address_stream
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
            scale = scale if COMBINES[backward].scaled else None
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
        ctx.static = how.static
        x = kept_x(x, scale, how.static.combine)
        ctx.save_for_backward(x, scale, strength, keep, key, step, examples)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, scale, strength, keep, key, step, examples = ctx.saved_tensors
        address, static = Address(key, step, examples), ctx.static

        def again(t: Tensor, combine: str, scale: Tensor | None) -> Tensor:
            return inject(t, static._replace(combine=combine), strength, address, scale, keep)

        wants_x, wants_scale = ctx.needs_input_grad[:2]
        grad_x = grad_of_x(grad, scale, static.combine, again) if wants_x else None
        grad_scale = grad_of_scale(grad, x, scale, again) if wants_scale else None
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
