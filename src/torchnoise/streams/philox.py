"""Philox4x32-10, the counter-based generator behind every draw, in plain torch integer operations.

The slow and obvious form: it is the oracle that every faster form is compared with, bit for bit.

Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011, section 5.3.
"""

from __future__ import annotations

import torch
from torch import Tensor

MASK32 = 0xFFFFFFFF
_M0, _M1 = 0xD2511F53, 0xCD9E8D57  # the multipliers of the two lanes
_W0, _W1 = 0x9E3779B9, 0xBB67AE85  # the Weyl increments of the two key words
ROUNDS = 10


def _mulhilo(m: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """The high and low 32 bits of m * x, for m and x in [0, 2^32)."""
    if torch.compiler.is_compiling():
        # In the C++ that torch.compile generates, int64 overflow is undefined and the optimizer may use that: halves
        # of 16 bits keep every product inside int64.
        low = x * (m & 0xFFFF)
        mid = x * (m >> 16) + (low >> 16)
        return mid >> 16, ((mid & 0xFFFF) << 16) | (low & 0xFFFF)
    product = x * m  # wraps: the 64 bits are right, only their sign is not
    return (product >> 32) & MASK32, product & MASK32


def philox(counter: tuple[Tensor, Tensor, Tensor, Tensor], key: Tensor) -> Tensor:
    """Four random 32-bit words for each counter: int64 of the counters' broadcast shape, plus a last axis of 4.

    `counter` is four int64 tensors of values in [0, 2^32) that broadcast together; `key` is int64 of shape [2].

    >>> zero = torch.zeros((), dtype=torch.int64)
    >>> [f"{w:08x}" for w in philox((zero, zero, zero, zero), torch.zeros(2, dtype=torch.int64)).tolist()]
    ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']
    """
    # Both lanes of a round go through each operation together: axis 0 is the lane.
    c0, c1, c2, c3 = torch.broadcast_tensors(*counter)
    lane = (2,) + (1,) * c0.dim()
    constants = torch.tensor(((_M0, _M1), (_W1, _W0)), device=key.device)
    multiplier, increment = constants[0].view(lane), constants[1].view(lane)
    round_key = key.flip(0).view(lane)
    factor, other = torch.stack((c0, c2)), torch.stack((c3, c1))
    for _ in range(ROUNDS):
        high, low = _mulhilo(multiplier, factor)
        # (c0, c1, c2, c3) <- (high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0)
        factor = (high ^ other ^ round_key).flip(0)
        other = low
        round_key = (round_key + increment) & MASK32
    return torch.stack((factor[0], other[1], factor[1], other[0]), dim=-1)
