"""Examples as a source of data gives them, and how they become a comparison's data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from ..task import Task
from . import split
from .asked import LEAST, Asked, listed
from .doubts import twins
from .parts import Data, Kind, Part, SealedTest, empty
from .split import Parts
from .target import Target

SPLIT, LIMIT = 1, 2  # set the generators of both apart


class Inputs(NamedTuple):
    """What is learned from, of each part: float32 [N, ...], or texts. features: a table's, by name; said and doubts:
    how they were read."""

    parts: Sequence[np.ndarray | tuple[str, ...]]
    features: tuple[str, ...] = ()
    said: str = ""
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Examples:
    """Examples before they are split. inputs: makes them of each part's rows, by what the training rows say.

    given: each row's part, where the data come in parts;  group, time: each row's group, or time, by which they are to
    be split;  said: ends before what `inputs` says.
    """

    kind: Kind
    target: Target
    inputs: Callable[[Parts], Inputs]
    said: str
    doubts: tuple[str, ...] = ()
    given: np.ndarray | None = None
    group: np.ndarray | None = None
    time: np.ndarray | None = None


def finished(examples: Examples, asked: Asked) -> tuple[Data, SealedTest]:
    """Split the examples, make their inputs, and seal the test part.

    Raises:
        ValueError: too few examples, or an input that is not finite.
    """
    parts, split_by = _split(examples, asked)
    made = examples.inputs(parts)
    task = _task(examples.target, parts.train)
    train, validation, test = (
        _part(x, examples.target.y[rows], task) for x, rows in zip(made.parts, parts, strict=True)
    )
    for part in (train, validation, test):
        if not torch.isfinite(part.x).all():
            at = int(torch.nonzero(~torch.isfinite(part.x))[0, 1])
            which = f"column {made.features[at]!r}" if made.features else "an input"
            raise ValueError(f"--data {asked.data}: {which} has numbers too large for float32")
    doubts = (*examples.doubts, *made.doubts, *_unseen(examples.target, parts), *twins(train, test))
    count, used = len(examples.target.y), sum(map(len, parts))
    limited = f"{used} of them, at random" if used < count else ""
    said = "; ".join(line for line in (examples.said, made.said, limited) if line)
    data = Data(
        asked.data, examples.kind, task, train, validation, made.features, said, doubts, split_by=split_by
    )  # fmt: skip
    return data, SealedTest(test)


def _generator(asked: Asked, count: int, purpose: int) -> np.random.Generator:
    return np.random.default_rng([asked.seed % (1 << 63), count, purpose])


def _split(examples: Examples, asked: Asked) -> tuple[Parts, str]:
    """The rows of each part, and how they were split, in words."""
    y, classes = examples.target
    strata = np.zeros(len(y), dtype=np.int64) if classes is None else y
    kept = np.arange(len(y))
    if asked.limit is not None and asked.limit < len(y):
        of_part = 0 if examples.given is None else examples.given
        kept = split.sample(strata * 3 + of_part, asked.limit, _generator(asked, len(y), LIMIT))
    if len(kept) < LEAST:
        raise ValueError(
            f"--data {asked.data}: {len(kept)} rows, allowed: at least {LEAST}, to be split into training, "
            "validation and test"
        )
    draw = _generator(asked, len(y), SPLIT)
    try:
        if examples.given is not None:
            asked.refuse_parts()
            found, said = split.as_given(examples.given[kept], strata[kept], asked.shares, draw), "as given"
            if len(np.unique(examples.given)) < 3:
                said += ", validation at random from the training part"
        elif examples.group is not None:
            found, said = split.by_group(examples.group[kept], asked.shares, draw), f"by group {asked.group!r}"
        elif examples.time is not None:
            found = split.by_time(examples.time[kept], asked.shares, draw)
            said = f"by time {asked.time!r}, the newest for the test"
        else:
            found = split.at_random(strata[kept], asked.shares, draw)
            said = "at random" + (", with each class's share" if classes is not None else "")
    except ValueError as error:
        flag = next((f"--{name} {getattr(asked, name)}" for name in ("group", "time") if getattr(asked, name)), "")
        raise ValueError(f"{flag or f'--data {asked.data}'}: {error}") from None
    return _filled(Parts(*(kept[rows] for rows in found)), asked), said


def _filled(parts: Parts, asked: Asked) -> Parts:
    """The parts, none of which is empty."""
    for name, rows in zip(Parts._fields, parts, strict=True):
        if not len(rows):
            count = sum(map(len, parts))
            raise ValueError(f"--data {asked.data}: {count} rows leave none for the {name} part")
    return parts


def _task(target: Target, train: np.ndarray) -> Task:
    if target.classes is not None:
        return Task(target.classes)
    y = target.y[train]
    return Task(None, float(y.mean()), float(y.std()) or 1.0)


def _part(x: np.ndarray | tuple[str, ...], y: np.ndarray, task: Task) -> Part:
    numbers = y.astype(np.int64) if task.classes is not None else ((y - task.mean) / task.std).astype(np.float32)
    if isinstance(x, tuple):
        return Part(empty(len(x)), torch.from_numpy(numbers), x)
    return Part(torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32)), torch.from_numpy(numbers))


def _unseen(target: Target, parts: Parts) -> list[str]:
    """A line on classes that are not in every part."""
    if target.classes is None:
        return []
    found = [set(np.unique(target.y[rows]).tolist()) for rows in parts]
    some, each = found[0] | found[1] | found[2], found[0] & found[1] & found[2]
    rare = [f"{target.classes[c]!r}" for c in sorted(some - each)]
    return [f"not in each of training, validation and test: the classes {listed(rare)}"] if rare else []
