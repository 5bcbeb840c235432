"""The slow and obvious form of every random noise, in plain torch operations, on any device.

Every faster form (kernels/) has its bits. It is what runs where no faster form can.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from .combine import COMBINES, Draw
from .streams.address import Address, words
from .streams.normal import normal

if TYPE_CHECKING:
    from .noise import RandomNoise

# Random words for `count` elements of each example from element `first` on: (address, count, first) -> [B, blocks, 4]
Stream = Callable[[Address, int, int], Tensor]
address_stream: Stream = words


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


class Signal:
    """What a source may see of the tensor that its noise enters: x, where noise may enter (keep: bool, expandable to
    x; None: everywhere), the axis of examples; and what it may draw from: words, or standard normal deviates.
    """

    def __init__(
        self, x: Tensor, keep: Tensor | None, static: Static, address: Address, deviates: Deviates | None = None
    ) -> None:
        self.x, self.keep, self.batch_axis = x, keep, static.batch_axis
        self._static, self._address, self._deviates = static, address, deviates

    @cached_property
    def words(self) -> Tensor:
        """Random words for x's elements: int64 [B, blocks, 4]."""
        examples = 1 if self.batch_axis is None else self._address.examples.shape[0]
        count = self.x.numel() // examples if examples else 0
        return self._static.stream(self._address, count, self._static.first)

    def lay_out(self, blocks: Tensor) -> Tensor:
        """[B, blocks, 4] of any dtype in x's shape."""
        return lay_out(blocks, self.x.shape, self.batch_axis, self._static.first)

    def deviates(self) -> Tensor:
        """Standard normal deviates in x's shape: float32, those of Gaussian noise at this address."""
        if self._deviates is not None:
            return self._deviates(self.x, self._static, self._address)
        return self.lay_out(normal(self.words))


# A faster way to the same standard normal deviates: (x, static, address) -> float32 of x's shape
Deviates = Callable[[Tensor, Static, Address], Tensor]


def draw(
    x: Tensor,
    static: Static,
    strength: Tensor,
    address: Address,
    keep: Tensor | None = None,
    deviates: Deviates | None = None,
) -> Draw:
    """What a noise draws at `address` for the tensor x, in x's shape."""
    return static.noise.draw_for(Signal(x, keep, static, address, deviates), strength)


def perturb(
    x: Tensor,
    static: Static,
    strength: Tensor,
    address: Address,
    scale: Tensor | None,
    keep: Tensor | None,
    deviates: Deviates | None = None,
) -> Tensor:
    """x with a draw, and x's own bits where strength is 0 or keep is False. Rounded once, to x's dtype."""
    drawn = draw(x, static, strength, address, keep, deviates)
    wide = x.to(compute_dtype(x.dtype)) if x.is_floating_point() else x
    combine = COMBINES[static.combine]
    out = combine.forward(wide, drawn, scale).to(x.dtype)
    if drawn.hit is not None and combine.spares_misses:
        out = torch.where(drawn.hit, out, x)  # the way over float32 changes the bits of what is not a number
    out = torch.where(strength != 0, out, x)  # x + 0 is not x for x = -0.0
    return out if keep is None else torch.where(keep, out, x)
