"""What a comparison is told to do: values that check themselves, and the runs that follow from them."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np
import torch

from .. import __version__
from ..streams.address import VERSION
from .models import Training
from .treatments import Treatment

Phase = Literal["search", "final"]
SEARCH: Phase = "search"
FINAL: Phase = "final"  # on seeds of its own: those that chose the winner do not test it
Parts = tuple[tuple[str, float], ...]
CLEAN_PARTS: Parts = ()


class Run(NamedTuple):
    """One training run: what is added to clean training, as (name, strength), the phase, and the seed's number."""

    parts: Parts
    phase: Phase
    seed: int

    def __str__(self) -> str:
        return " + ".join(f"{name} {strength:g}" for name, strength in self.parts) or "clean"


class RunSeeds(NamedTuple):
    """Where a run's randomness comes from. Runs with the same phase and number share all three, whatever is added."""

    init: int
    batches: int
    noise: int


@dataclass(frozen=True)
class Source:
    """Where the examples come from, as on the command line: `--data`, `--target` and what goes with them."""

    data: str = "digits"
    target: str | None = None
    text: str | None = None
    group: str | None = None
    time: str | None = None
    limit: int | None = None


@dataclass(frozen=True)
class Settings:
    """A whole comparison, as it is asked for. None leaves the choice to the data and the model.

    noises: names from the table of candidates, or plan files;  strengths: ladders in place of those that are advised;
    seeds: paired runs of each finalist;  seed: the master seed, of the split and all runs;  rounds: search seeds that
    each round of halving adds;  rungs: strengths in a ladder;  rise: by how much the validation loss of a clean model
    rises under the ladder's middle strength (None: the rule of thumb);  combine: whether the winner is tried beside
    dropout, weight decay, augmentation and the second.

    Raises:
        ValueError: a number outside what is allowed.
    """

    source: Source = Source()
    model: str | None = None
    noises: tuple[str, ...] | None = None
    strengths: Mapping[str, tuple[float, ...]] = field(default_factory=lambda: MappingProxyType({}))
    seeds: int = 5
    seed: int = 0
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    rounds: tuple[int, ...] = (2, 2, 4)
    rungs: int = 5
    rise: float | None = 0.5
    combine: bool = True
    device: str = "cpu"

    def __post_init__(self) -> None:
        _whole("--seeds", self.seeds, 2, 1000)  # an interval needs two
        _whole("--seed", self.seed, 0, 2**32 - 1)
        for flag, value in (("--epochs", self.epochs), ("--batch-size", self.batch_size)):
            if value is not None:
                _whole(flag, value, 1, 100_000)
        if self.source.limit is not None:
            _whole("--limit", self.source.limit, 30, 10**9)
        _whole("--rungs", self.rungs, 1, 100)
        if not self.rounds or min(self.rounds) < 1:
            raise ValueError(f"--rounds {','.join(map(str, self.rounds))}, allowed: whole numbers from 1")
        _above_zero("--lr", self.learning_rate)
        _above_zero("--rise", self.rise)
        if self.noises is not None and not self.noises:
            raise ValueError("--noises is empty, allowed: names, separated by commas; torchnoise noises lists them")
        if self.noises is not None and len(set(self.noises)) != len(self.noises):
            raise ValueError("--noises names one noise twice, allowed: each at most once")
        for name in self.strengths:
            if self.noises is not None and name not in self.noises:
                raise ValueError(f"--strengths names {name!r}, allowed: those of --noises: {', '.join(self.noises)}")

    def training(self, default: Training) -> Training:
        """The model's defaults, with what was asked for in their place."""
        return replace(
            default,
            epochs=self.epochs or default.epochs,
            batch_size=self.batch_size or default.batch_size,
            learning_rate=self.learning_rate or default.learning_rate,
        )


def _whole(flag: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ValueError(f"{flag} is {value}, allowed: a whole number from {low} to {high}")


def _above_zero(flag: str, value: float | None) -> None:
    if value is not None and not 0 < value < float("inf"):
        raise ValueError(f"{flag} is {value:g}, allowed: a number above 0")


def seeds_of(master: int, phase: Phase, number: int) -> RunSeeds:
    """The seeds of run number `number` in a phase: far apart for neighbouring numbers.

    >>> seeds_of(0, "final", 1) == seeds_of(0, "final", 1), seeds_of(0, "final", 1) == seeds_of(0, "search", 1)
    (True, False)
    """
    words = np.random.SeedSequence([master, [SEARCH, FINAL].index(phase), number]).generate_state(3)
    return RunSeeds(*(int(word) for word in words))


def key_of(run: Run, treatment: Treatment, training: Training, master: int, model: str, data_fingerprint: str) -> str:
    """A hash of all that decides a run's numbers; how many other runs there are is not part of it."""
    augment = treatment.augment
    everything = {
        "phase": run.phase,
        "seed": run.seed,
        "plan": repr(None if treatment.plan is None else list(treatment.plan)),
        "weight_decay": treatment.weight_decay,
        "augment": None if augment is None else repr(augment),
        "master_seed": master,
        "training": asdict(training),
        "model": model,
        "data": data_fingerprint,
        "versions": [__version__, VERSION, torch.__version__],
    }
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:32]


def command_of(settings: Settings) -> str:
    """What to type for these settings: what differs from the defaults.

    >>> command_of(Settings(Source("people.csv", target="income"), seeds=8))
    'torchnoise compare --data people.csv --target income --seeds 8'
    """
    usual, source = Settings(), asdict(settings.source)
    flags = {name: value for name, value in source.items() if value != getattr(usual.source, name)}
    names = {"learning_rate": "lr"}
    for name in ("model", "epochs", "batch_size", "learning_rate", "seeds", "seed", "rungs"):
        if getattr(settings, name) != getattr(usual, name):
            flags[names.get(name, name)] = getattr(settings, name)
    words = [f"--{name.replace('_', '-')} {shlex.quote(str(value))}" for name, value in flags.items()]
    if settings.noises is not None:
        words.append(f"--noises {','.join(settings.noises)}")
    words += [f"--strengths {name}={','.join(map(str, some))}" for name, some in settings.strengths.items()]
    if settings.rounds != usual.rounds:
        words.append(f"--rounds {','.join(map(str, settings.rounds))}")
    if settings.rise is None:
        words.append("--by-rule")
    elif settings.rise != usual.rise:
        words.append(f"--rise {settings.rise:g}")
    return " ".join(["torchnoise compare", *words, *(() if settings.combine else ("--alone",))])
