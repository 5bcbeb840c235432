"""Addresses for layers that stand alone: a key from torch's default generator for each forward."""

from __future__ import annotations

import torch
from torch import Tensor

from ..streams.address import MASK32, Address


def fresh_address(x: Tensor) -> Address:
    """An address for one draw over the whole of x. Moves the default generator of x's device by one draw."""
    key = torch.randint(0, MASK32 + 1, (2,), device=x.device)
    zero = torch.zeros((), dtype=torch.int64, device=x.device)
    return Address(key, zero, zero[None])
