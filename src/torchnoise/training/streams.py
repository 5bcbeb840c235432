"""Random states: a stream of its own for loading data, and the training's, kept and put back.

Loading has its own stream, so that an epoch's batches can be loaded again from its beginning and come out the same,
whatever dropout drew in between; the caller's states are as they were when fit ends.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

# exchanged whole: to read and write the state of NumPy's generator takes fifty times as long
_numpy_now: Any = vars(np.random)["get_bit_generator"]
_use_numpy: Any = vars(np.random)["set_bit_generator"]


def derived(seed: int, *names: object) -> int:
    """A seed of 63 bits for one purpose, from the run's seed.

    >>> derived(0, "order", 1) == derived(0, "order", 1) != derived(0, "order", 2)
    True
    """
    text = repr((seed, *names)).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1


class Stream:
    """The states of torch's generator on the CPU, NumPy's and Python's. `with stream:` puts them in place of the
    current ones, for as long; they go on from where they were the next time.
    """

    def __init__(self, seed: int) -> None:
        self._torch = torch.Generator().manual_seed(seed).get_state()
        self._numpy: Any = np.random.MT19937(seed)
        self._python = random.Random(seed).getstate()

    def _swap(self) -> None:
        self._numpy, numpy = _numpy_now(), self._numpy
        _use_numpy(numpy)
        self._torch, state = torch.get_rng_state(), self._torch
        torch.set_rng_state(state)
        self._python, python = random.getstate(), self._python
        random.setstate(python)

    def __enter__(self) -> None:
        self._swap()

    def __exit__(self, *_: object) -> None:
        self._swap()


def begin(seed: int, rank: int) -> None:
    """Seed torch (every device), NumPy and Python for training; each process draws its own dropout."""
    own = seed if rank == 0 else derived(seed, "rank", rank)
    torch.manual_seed(own)
    np.random.seed(own % (1 << 32))
    random.seed(own)


def snapshot() -> dict[str, Any]:
    """The current states, as plain values and tensors."""
    return {
        "torch": torch.get_rng_state(),
        "cuda": list(torch.cuda.get_rng_state_all()) if torch.cuda.is_initialized() else [],
        "numpy": np.random.get_state(legacy=False),
        "python": random.getstate(),
    }


def restore(states: dict[str, Any]) -> None:
    """Put states back that snapshot() took."""
    torch.set_rng_state(states["torch"])
    for device, state in enumerate(states["cuda"][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(state, device)
    if "numpy" in states:
        np.random.set_state(states["numpy"])
    random.setstate(states["python"])


@contextmanager
def untouched() -> Iterator[None]:
    """Whatever is drawn inside, the states are as they were afterwards."""
    before, numpy = snapshot(), _numpy_now()
    _use_numpy(np.random.MT19937(0))  # one of another kind could not be seeded
    try:
        yield
    finally:
        _use_numpy(numpy)
        if before["numpy"]["bit_generator"] != "MT19937":
            before.pop("numpy")  # it was not used, and this function does not take its state
        restore(before)
