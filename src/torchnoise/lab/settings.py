"""What a comparison is told to do: values that check themselves and hash themselves."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
import torch

from .. import __version__
from ..errors import nearest
from ..streams.address import VERSION
from .models import DESCRIPTION
from .noises import CANDIDATES, CLEAN


@dataclass(frozen=True)
class Training:
    """How every run is trained: SGD with momentum, the learning rate falling to 0 along a half cosine."""

    epochs: int = 25
    batch_size: int = 96
    learning_rate: float = 0.15
    momentum: float = 0.9


class Run(NamedTuple):
    """One training run: a noise (or CLEAN) at one strength, and the number of its seed."""

    noise: str
    strength: float
    seed: int


class RunSeeds(NamedTuple):
    """Where a run's randomness comes from. Runs with the same seed share all three, whatever their noise."""

    init: int
    batches: int
    noise: int


def _whole(flag: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ValueError(f"{flag} is {value}, allowed: a whole number from {low} to {high}")


@dataclass(frozen=True)
class Settings:
    """A whole comparison.

    noises: names from CANDIDATES;  seeds: how many paired runs each;  seed: the master seed, of the split and all runs.

    Raises:
        ValueError: an unknown noise, with the nearest names; a number outside what is allowed.
    """

    noises: tuple[str, ...] = tuple(CANDIDATES)
    seeds: int = 5
    seed: int = 0
    training: Training = Training()

    def __post_init__(self) -> None:
        if not self.noises:
            raise ValueError(f"--noises is empty, allowed: {', '.join(CANDIDATES)}")
        for name in self.noises:
            if name not in CANDIDATES:
                raise ValueError(f"--noises: no noise is called {name!r}; {nearest(name, CANDIDATES)}")
        if len(set(self.noises)) != len(self.noises):
            raise ValueError("--noises names one noise twice, allowed: each at most once")
        _whole("--seeds", self.seeds, 2, 1000)  # an interval needs two
        _whole("--seed", self.seed, 0, 2**32 - 1)
        _whole("--epochs", self.training.epochs, 1, 100_000)

    def runs(self) -> list[Run]:
        """Every run: clean first, then each noise's ladder."""
        seeds = range(self.seeds)
        clean = [Run(CLEAN, 0.0, s) for s in seeds]
        return clean + [Run(n, x, s) for n in self.noises for x in CANDIDATES[n].ladder for s in seeds]


def seeds_of(master: int, number: int) -> RunSeeds:
    """The seeds of run number `number`: far apart for neighbouring numbers.

    >>> seeds_of(0, 1) == seeds_of(0, 1), seeds_of(0, 1).init == seeds_of(0, 2).init
    (True, False)
    """
    return RunSeeds(*(int(word) for word in np.random.SeedSequence([master, number]).generate_state(3)))


def key_of(run: Run, settings: Settings, data_fingerprint: str) -> str:
    """A hash of all that decides a run's numbers; how many other runs there are is not part of it."""
    plan = "" if run.noise == CLEAN else repr(CANDIDATES[run.noise].plan(run.strength))
    everything = {
        "run": list(run),
        "plan": plan,
        "master_seed": settings.seed,
        "training": asdict(settings.training),
        "model": DESCRIPTION,
        "data": data_fingerprint,
        "versions": [__version__, VERSION, torch.__version__],
    }
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:32]
