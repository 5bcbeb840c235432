"""One draw of a noise over one tensor: what every layer here does in training."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import check_number
from ..functional import number
from ..noise import Call, RandomNoise
from .keys import fresh_address


def with_noise(
    x: Tensor,
    noise: RandomNoise,
    strength: float | Tensor,
    layer: str,
    *,
    keep: Tensor | None = None,
    per_example: bool = False,
) -> Tensor:
    """x with noise at an address from torch's default generator; gradients flow to x.

    strength: instead of the noise's own. layer: the name in errors. keep (bool, expandable to x): True where noise may
    enter. per_example: whether rows of axis 0 are examples, as for magnitudes; otherwise the whole tensor is one.

    Raises:
        TypeError: a tensor that is not of floating point, for a noise that takes no integers.
    """
    if not x.is_floating_point() and not noise.takes_integers():
        raise TypeError(f"{layer}: x is {x.dtype}, allowed: floating point")
    address, axis = fresh_address(x), None
    if per_example and x.dim() > 1:
        axis = 0
        address = address._replace(examples=torch.arange(x.shape[0], device=x.device))
    if not isinstance(strength, Tensor):
        strength = number(strength, x.device)
    return noise.inject(x, Call(address, strength, keep, axis, layer))


def check_std(what: str, value: object) -> float:
    """A standard deviation, from 0 up."""
    return check_number(what, value, 0.0, RandomNoise.largest)
