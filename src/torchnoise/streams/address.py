"""Where a random number lives: every draw is a pure function of its address, and of nothing else.

key     64 bits   hash(seed, module path, role, pass), folded with the call's number within the forward
c0, c1  64 bits   block floor(e / 4) of element e inside one example (or inside the whole parameter)
c2      32 bits   the optimizer's step
c3      32 bits   the example's number within the step, running on over micro-batches
word    2 bits    e mod 4
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import torch
from torch import Tensor

from .philox import MASK32, philox

VERSION = 1
MAX_STEP = MASK32


class Address(NamedTuple):
    """The moving part of an address, as tensors: a changing value never recompiles a graph.

    key: int64 [2];  step: int64 [];  examples: int64 [B], one number for each example.
    """

    key: Tensor
    step: Tensor
    examples: Tensor


def subkey(seed: int, path: str, role: str, pass_: str = "0") -> int:
    """The 64-bit key of one site, stable over runs, machines and versions of Python.

    Each field is preceded by its length, so that no two different tuples hash the same text.

    >>> subkey(0, "encoder.0", "activation/0") == subkey(0, "encoder", "0.activation/0")
    False
    """
    digest = hashlib.blake2b(digest_size=8, person=b"torchnoise-%d" % VERSION)
    for field in (str(seed), path, role, pass_):
        raw = field.encode()
        digest.update(len(raw).to_bytes(8, "little") + raw)
    return int.from_bytes(digest.digest(), "little")


def key_words(key: int) -> tuple[int, int]:
    """The two 32-bit words of a 64-bit key, the low word first."""
    return key & MASK32, key >> 32


def call_words(call: int) -> tuple[int, int]:
    """What the key of a site is XORed with for its call number `call` within one forward; (0, 0) for the first.

    The finaliser of SplitMix64 (Steele, Lea, Flood 2014), a bijection of 64 bits: no two calls share a key.
    Plain integer arithmetic, because torch.compile traces it.
    """
    z = call
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    return key_words(z ^ (z >> 31))


def key_for_call(key: Tensor, call: int) -> Tensor:
    """The key of call number `call` within one forward, from the site's key (int64 [2])."""
    if call == 0:
        return key
    return key ^ torch.tensor(call_words(call), dtype=torch.int64, device=key.device)


def words(address: Address, count: int, first: int = 0) -> Tensor:
    """The blocks that hold elements first .. first + count - 1 of each example: int64 [B, blocks, 4].

    The first element is word `first % 4` of the first block: any slice of a draw can so be drawn alone.
    """
    low, high = first // 4, (first + count + 3) // 4
    block = torch.arange(low, max(high, low), device=address.key.device)[None, :]
    return _blocks(address, block)


def _blocks(address: Address, block: Tensor) -> Tensor:
    counter = (block & MASK32, block >> 32, address.step & MASK32, address.examples[:, None] & MASK32)
    return philox(counter, address.key)
