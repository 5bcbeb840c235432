"""The one operation under every random noise: out = combine(x, scale * source(address)), drawn again in backward.

`perturb` is the pure function; `Inject` is its autograd form, which saves the address instead of the noise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from .combine import Combine, Draw
from .streams.address import Address, words

if TYPE_CHECKING:
    from .noise import RandomNoise


def compute_dtype(dtype: torch.dtype) -> torch.dtype:
    """Noise is drawn in float32 and rounded once: float16 and bfloat16 are computed in float32."""
    return torch.float64 if dtype == torch.float64 else torch.float32


# Random words for `count` elements of each example from element `first` on: (address, count, first) -> [B, blocks, 4]
Stream = Callable[[Address, int, int], Tensor]
address_stream: Stream = words


def lay_out(blocks: Tensor, shape: torch.Size, batch_axis: int | None, first: int = 0) -> Tensor:
    """Elements of [B, blocks, 4] in a tensor's shape: e runs row-major over each example, the batch axis left out.

    Where the batch axis has k * B entries, k successive entries belong to one example.
    """
    skip = first % 4
    if batch_axis is None:
        return blocks.reshape(-1)[skip : skip + shape.numel()].reshape(shape)
    examples = blocks.shape[0]
    rest = [s for a, s in enumerate(shape) if a != batch_axis]
    count = shape.numel() // examples if examples else 0
    flat = blocks.reshape(examples, blocks.shape[1] * 4)[:, skip : skip + count]
    return flat.reshape([shape[batch_axis], *rest]).movedim(0, batch_axis)


class Static(NamedTuple):
    """What is fixed when a graph is traced."""

    noise: RandomNoise
    combine: Combine
    batch_axis: int | None
    first: int
    stream: Stream


def draw(static: Static, strength: Tensor, address: Address, x: Tensor) -> Draw:
    """What a noise draws at `address` for the tensor x, in x's shape."""
    noise, _, batch_axis, first, stream = static
    examples = 1 if batch_axis is None else address.examples.shape[0]
    count = x.numel() // examples if examples else 0
    drawn = noise.draw(stream(address, count, first), strength)
    values = drawn.values if drawn.values.dim() == 0 else lay_out(drawn.values, x.shape, batch_axis, first)
    hit = None if drawn.hit is None else lay_out(drawn.hit, x.shape, batch_axis, first)
    return Draw(values, hit, drawn.gain)


def perturb(
    x: Tensor, drawn: Draw, combine: Combine, scale: Tensor | None, strength: Tensor, keep: Tensor | None
) -> Tensor:
    """x with a draw, and x's own bits where strength is 0 or keep is False. Rounded once, to x's dtype."""
    wide = x.to(compute_dtype(x.dtype)) if x.is_floating_point() else x
    out = combine.forward(wide, drawn, scale).to(x.dtype)
    out = torch.where(strength != 0, out, x)  # x + 0 is not x for x = -0.0
    return out if keep is None else torch.where(keep, out, x)


class Inject(torch.autograd.Function):
    """`perturb` with a backward that draws again. Saved: the address, the mask, the scale; never the noise.

    x itself is kept only where a learned scale multiplies it, whose gradient needs it.
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
        drawn = draw(static, strength, Address(key, step, examples), x)
        return perturb(x, drawn, static.combine, scale, strength, keep)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        x, scale, strength, keep, key, step, examples, static = inputs
        learns = scale is not None and scale.requires_grad
        ctx.static, ctx.learns = static, learns
        kept_x = x if learns and static.combine.needs_x else None
        ctx.save_for_backward(kept_x, scale, strength, keep, key, step, examples)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, scale, strength, keep, key, step, examples = ctx.saved_tensors
        combine = ctx.static.combine
        grad_scale = None
        grad_x: Tensor | None = grad
        if ctx.learns or combine.redraws_for_x:
            drawn = draw(ctx.static, strength, Address(key, step, examples), grad)
            wide = grad.to(compute_dtype(grad.dtype))
            through = combine.grad_x(wide, drawn, scale).to(grad.dtype)
            through = torch.where(strength != 0, through, grad)
            grad_x = through if keep is None else torch.where(keep, through, grad)
            if ctx.learns:
                each = combine.grad_scale(wide, x, drawn) * (strength != 0)
                each = each if keep is None else torch.where(keep, each, 0.0)
                grad_scale = each.sum_to_size(scale.shape).to(scale.dtype)
        return grad_x, grad_scale, None, None, None, None, None, None
