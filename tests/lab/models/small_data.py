"""A few examples of each kind of data."""

from __future__ import annotations

import torch

from torchnoise.lab.data import IMAGE, TABLE, TEXT, Data, Part
from torchnoise.lab.task import Task

TEXTS = (
    "a film that is good , and good again",
    "dull",
    "so dull that the film never ends",
    "good fun , and the film ends well",
    "the film is so good",
    "never fun",
)
CLASSES, NUMBER = Task(("bad", "good")), Task(None)


def random(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def targets(task: Task, count: int) -> torch.Tensor:
    return torch.arange(count) % 2 if task.classes else torch.linspace(-1.0, 1.0, count)


def table(features: int = 5, task: Task = CLASSES, rows: int = 12) -> Data:
    part = Part(torch.randn(rows, features, generator=random(0)), targets(task, rows))
    return Data("toy", TABLE, task, part, part, tuple(f"f{i}" for i in range(features)))


def images(*shape: int, task: Task = CLASSES, rows: int = 12) -> Data:
    part = Part(torch.rand(rows, *(shape or (1, 8, 8)), generator=random(0)), targets(task, rows))
    return Data("toy", IMAGE, task, part, part)


def texts(task: Task = CLASSES) -> Data:
    part = Part(torch.empty(len(TEXTS), 0), targets(task, len(TEXTS)), TEXTS)
    return Data("toy", TEXT, task, part, part)
