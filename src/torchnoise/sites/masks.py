"""Where noise may enter inside a tensor: padding masks, special positions, chosen dims."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from .tree import tensors

Mask = str | Callable[[Mapping[str, Any]], Tensor]


def mask_named(mask: Mask | None, default: str | None, arguments: Mapping[str, Any], site: str) -> Tensor | None:
    """The mask that an injection asks for among the model's arguments, or the site's default where it is given one.

    Raises:
        LookupError: a mask asked for by a name that forward was not given.
    """
    wanted = default if mask is None else mask
    if wanted is None:
        return None
    if not isinstance(wanted, str):
        return wanted(arguments)
    for path, tensor in tensors(arguments):
        if path == wanted or path.endswith("." + wanted):
            return tensor
    if mask is None:
        return None
    known = ", ".join(repr(p) for p, _ in tensors(arguments))
    raise LookupError(f"{site}: forward was given no mask {mask!r}; it was given {known}")


def both(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    """Positions that both masks allow; None allows all."""
    if first is None or second is None:
        return second if first is None else first
    return first & second


def masked_like(mask: Tensor, x: Tensor, site: str) -> Tensor:
    """A mask of leading axes as bool, with axes of size 1 added until it broadcasts over x."""
    if mask.is_floating_point():
        raise TypeError(
            f"{site}: the mask is {mask.dtype}, allowed: bool or whole numbers, nonzero where noise may enter"
        )
    if mask.dim() > x.dim() or any(m not in (1, s) for m, s in zip(mask.shape, x.shape, strict=False)):
        raise ValueError(
            f"{site}: the mask has shape {tuple(mask.shape)}, allowed: leading axes of the tensor's {tuple(x.shape)}"
        )
    return (mask != 0).reshape(mask.shape + (1,) * (x.dim() - mask.dim()))


def dims_mask(dims: Sequence[int], axis: int, x: Tensor, site: str) -> Tensor:
    """A bool mask that is True at the indices `dims` along `axis` of x."""
    if not -x.dim() <= axis < x.dim():
        raise IndexError(f"{site}: axis is {axis}, allowed: {-x.dim()} to {x.dim() - 1} for shape {tuple(x.shape)}")
    size = x.shape[axis]
    for d in dims:
        if not -size <= d < size:
            raise IndexError(f"{site}: dims has {d}, allowed: {-size} to {size - 1} along axis {axis}")
    chosen = torch.zeros(size, dtype=torch.bool, device=x.device)
    chosen[[d % size for d in dims]] = True
    shape = [1] * x.dim()
    shape[axis] = size
    return chosen.view(shape)
