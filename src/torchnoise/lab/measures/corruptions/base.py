"""What a corruption is, and where its random numbers come from."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ...data import Data, Part

SEVERITIES = (1, 2, 3, 4, 5)

# (part, data, level, random numbers) -> x, corrupted; `data` is for what the training part and the encoder know
Corrupt = Callable[[Part, Data, float, np.random.Generator], Tensor]


@dataclass(frozen=True)
class Corruption:
    """A way in which inputs go bad after training. said: what severity 1 and 5 are, in words;  levels: one for each
    severity, in the corruption's own unit."""

    name: str
    said: str
    levels: tuple[float, float, float, float, float]
    corrupt: Corrupt

    def apply(self, part: Part, data: Data, severity: int, generator: np.random.Generator) -> Tensor:
        """The part's x at a severity from 1 to 5."""
        return self.corrupt(part, data, self.levels[severity - 1], generator)


def generator(seed: int, name: str, severity: int) -> np.random.Generator:
    """Random numbers that depend on nothing else, so that every network meets the same corruption."""
    return np.random.default_rng([seed, zlib.crc32(name.encode()), severity])
