"""The slow and obvious form of every random noise, in plain torch operations, on any device.

Every faster form (kernels/) has its bits. It is what runs where no faster form can.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from .combine import COMBINES, Draw
from .streams.address import Address, words

if TYPE_CHECKING:
    from .noise import RandomNoise

# Random words for `count` elements of each example from element `first` on: (address, count, first) -> [B, blocks, 4]
Stream = Callable[[Address, int, int], Tensor]
address_stream: Stream = words


class Signal(NamedTuple):
    """What a source may see of the tensor that its noise enters.

    x, keep: the tensor, and where noise may enter (bool, expandable to x; None: everywhere);
    batch_axis, first: as in Static; lay_out: [B, blocks, 4] of any dtype -> x's shape.
    """

    x: Tensor
    keep: Tensor | None
    batch_axis: int | None
    first: int
    lay_out: Callable[[Tensor], Tensor]


class Static(NamedTuple):
    """What is fixed when a graph is traced: the noise, how it meets x, where x has its examples, its first element."""

    noise: RandomNoise
    combine: str
    batch_axis: int | None
    first: int = 0
    stream: Stream = address_stream


def compute_dtype(dtype: torch.dtype) -> torch.dtype:
    """Noise is drawn in float32 and rounded once: float16 and bfloat16 are computed in float32."""
    return torch.float64 if dtype == torch.float64 else torch.float32


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


def draw(x: Tensor, static: Static, strength: Tensor, address: Address, keep: Tensor | None = None) -> Draw:
    """What a noise draws at `address` for the tensor x, in x's shape."""
    noise, _, batch_axis, first, stream = static
    examples = 1 if batch_axis is None else address.examples.shape[0]
    count = x.numel() // examples if examples else 0
    signal = Signal(x, keep, batch_axis, first, lambda blocks: lay_out(blocks, x.shape, batch_axis, first))
    return noise.draw_for(signal, stream(address, count, first), strength)


def perturb(
    x: Tensor, static: Static, strength: Tensor, address: Address, scale: Tensor | None, keep: Tensor | None
) -> Tensor:
    """x with a draw, and x's own bits where strength is 0 or keep is False. Rounded once, to x's dtype."""
    drawn = draw(x, static, strength, address, keep)
    wide = x.to(compute_dtype(x.dtype)) if x.is_floating_point() else x
    combine = COMBINES[static.combine]
    out = combine.forward(wide, drawn, scale).to(x.dtype)
    if drawn.hit is not None and combine.spares_misses:
        out = torch.where(drawn.hit, out, x)  # the way over float32 changes the bits of what is not a number
    out = torch.where(strength != 0, out, x)  # x + 0 is not x for x = -0.0
    return out if keep is None else torch.where(keep, out, x)
