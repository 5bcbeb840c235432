"""Deviates and words of neighbouring addresses, by the fast kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

import torchnoise as tn
from torchnoise.combine import Draw
from torchnoise.kernels import Kernel
from torchnoise.kernels.scalar import f32, i32, scalar, u32
from torchnoise.noise import Call, RandomNoise
from torchnoise.streams import Address, words
from torchnoise.streams.address import call_words, key_for_call, subkey

_LOW = u32(0xFFFF)


@scalar
def _shift(strength: Any, constant: Any) -> Any:
    return u32(constant)


@scalar
def _halves(w0: Any, w1: Any, w2: Any, w3: Any, shift: Any) -> Any:
    return (
        f32(i32(u32(u32(w0 >> shift) & _LOW))),
        f32(i32(u32(u32(w1 >> shift) & _LOW))),
        f32(i32(u32(u32(w2 >> shift) & _LOW))),
        f32(i32(u32(u32(w3 >> shift) & _LOW))),
    )


@dataclass(frozen=True)
class Half(RandomNoise):
    """16 bits of each word as a number, which float32 holds exactly: two draws give the word as kernels see it."""

    shift: int = 0

    def draw(self, words: torch.Tensor, strength: torch.Tensor) -> Draw:
        return Draw(((words >> self.shift) & 0xFFFF).to(torch.float32))

    def kernel(self, combine: str) -> Kernel:
        return Kernel(_shift, _halves, combine, float(self.shift))


NORMAL = tn.Gaussian(1.0, combine="replace")
LOW, HIGH = Half(1.0, combine="replace", shift=0), Half(1.0, combine="replace", shift=16)


def elements(noise: RandomNoise, at: Address, count: int, first: int = 0) -> np.ndarray:
    """Elements first .. first + count - 1 of the first example at an address."""
    if not first:
        at = at._replace(examples=at.examples[:1])
        x = torch.empty(1, count)
        return tn.noisy(x, noise, at, out=x).numpy()[0]
    # a slice of a larger tensor: what shards of a parameter draw
    return noise.inject(torch.empty(count), Call(at, torch.tensor(1.0), batch_axis=None, first=first)).numpy()


def raw(at: Address, count: int, first: int = 0) -> np.ndarray:
    """The same elements' words, uint32."""
    found = elements(HIGH, at, count, first).astype(np.uint32)
    found <<= 16
    found |= elements(LOW, at, count, first).astype(np.uint32)
    return found


def check_words() -> None:
    """The words of the kernels are those of torchnoise.streams: at a slice that begins and ends inside blocks."""
    at = tn.address(seed=3, step=2**32 - 1, examples=torch.tensor([7]))
    for first in (0, 2**34 - 6):
        wanted = words(at, 1001, first).reshape(-1)[first % 4 :][:1001].numpy()
        assert np.array_equal(raw(at, 1001, first), wanted.astype(np.uint32)), "kernels draw other words"


def example(number: int, **where: Any) -> Address:
    return tn.address(examples=torch.tensor([number]), **where)


def keyed(low: int, high: int = 0) -> Address:
    """A key as it stands, without the hash of seed and path: nothing hides how keys differ."""
    return tn.address()._replace(key=torch.tensor([low, high]))


def call(number: int) -> Address:
    at = tn.address(path="calls")
    return at._replace(key=key_for_call(at.key, number))


# Places that lie side by side: (address, first element) of number i. What is fixed differs from kind to kind, so that
# no two of them share numbers.
NEIGHBOURS: dict[str, Callable[[int], tuple[Address, int]]] = {
    "seeds 0, 1, 2 ...": lambda i: (tn.address(seed=i, path="seeds"), 0),
    "steps 0, 1, 2 ...": lambda i: (tn.address(step=i, path="steps"), 0),
    "steps 1, 2, 4 ... 2^31": lambda i: (tn.address(step=1 << (i % 32), path=f"bits of steps {i // 32}"), 0),
    "examples 0, 1, 2 ...": lambda i: (example(i, path="examples"), 0),
    "sites layers.0, layers.1 ...": lambda i: (tn.address(path=f"layers.{i}"), 0),
    "passes 0, 1, 2 ...": lambda i: (tn.address(path="passes", pass_=str(i)), 0),
    "calls 0, 1, 2 ...": lambda i: (call(i), 0),
    "keys 0, 1, 2 ... unhashed": lambda i: (keyed(i), 0),
    "keys 1, 2, 4 ... unhashed": lambda i: (keyed(1 << (i % 32), i // 32), 0),
    "slices, uneven": lambda i: (tn.address(path="slices"), i * (2**20 + 1)),
    "slices 2^34 apart": lambda i: (tn.address(path="carries"), i * 2**34),
}


def interleaved(kind: str, total: int, each: int = 1 << 16, wide: int = 64) -> Iterator[np.ndarray]:
    """`total` words, one by one in turn from 64 neighbours until each gave 2^16, then from the next 64."""
    for group in range(total // (each * wide)):
        streams = np.empty((each, wide), np.uint32)
        for i in range(wide):
            at, first = NEIGHBOURS[kind](group * wide + i)
            streams[:, i] = raw(at, each, first)
        yield streams.reshape(-1)


def one_after_another(total: int) -> Iterator[np.ndarray]:
    """`total` words of one address, as they come."""
    size = 1 << 22
    for begin in range(0, total, size):
        yield raw(tn.address(path="one"), size, begin)


def site_keys(count: int) -> np.ndarray:
    """Keys of sites as runs make them: of 100 seeds, with two roles and two passes."""
    places = [
        (seed, f"encoder.layers.{layer}", role, pass_)
        for layer in range(count // 400)
        for seed in range(100)
        for role in ("activation/0", "weight/0")
        for pass_ in ("0", "1")
    ]
    return np.array([subkey(*place) for place in places], np.uint64)


def call_keys(sites: int, calls: int) -> np.ndarray:
    """The keys of the first calls of so many sites, together."""
    folds = np.array([low | high << 32 for low, high in map(call_words, range(calls))], np.uint64)
    keys = np.array([subkey(0, f"shared.{i}", "activation/0") for i in range(sites)], np.uint64)
    return (keys[:, None] ^ folds).reshape(-1)
