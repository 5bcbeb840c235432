"""Random words from the operating system's cryptographic generator, for private noise: nobody can draw them again."""

from __future__ import annotations

import os

import torch
from torch import Tensor

from .address import Address


def secure_words(address: Address, count: int, first: int = 0) -> Tensor:
    """Fresh words at every call, whatever the address: int64 [B, ceil(count / 4), 4].

    Philox' words can be computed by whoever knows the seed, and noise that can be computed can be taken off.
    """
    examples, blocks = address.examples.shape[0], (first % 4 + count + 3) // 4
    size = examples * blocks * 4
    if size == 0:
        return torch.zeros(examples, blocks, 4, dtype=torch.int64, device=address.key.device)
    raw = torch.frombuffer(bytearray(os.urandom(4 * size)), dtype=torch.uint32)
    return raw.to(torch.int64).reshape(examples, blocks, 4).to(address.key.device)
