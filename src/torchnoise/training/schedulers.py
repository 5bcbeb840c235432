"""The learning rate's schedule: by name, from a function, or one that exists already."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau

from ..errors import nearest

Scheduler = LRScheduler | ReduceLROnPlateau
Given = str | Scheduler | Callable[[Optimizer], Any] | None


def _cosine(done: float) -> float:
    return 0.5 * (1.0 + math.cos(math.pi * done))


def _linear(done: float) -> float:
    return 1.0 - done


_SHAPES = {"cosine": _cosine, "linear": _linear, "constant": lambda done: 1.0}


def factor(shape: Callable[[float], float], step: int, steps: int, warmup: int) -> float:
    """The learning rate's factor: rising from 1 / (warmup + 1) to 1 over `warmup` steps, then `shape` down to the end.

    >>> [round(factor(_linear, step, 6, 2), 3) for step in range(6)]
    [0.333, 0.667, 1.0, 0.75, 0.5, 0.25]
    """
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return shape(min(1.0, (step - warmup) / max(1, steps - warmup)))


def scheduler_for(given: Given, optimizer: Optimizer, steps: int | None, warmup: int) -> Any:
    """The scheduler for an optimizer; `steps` is how often it will step.

    Raises:
        ValueError: an unknown name; a name where the number of steps is not known; another optimizer's scheduler.
        TypeError: something else.
    """
    if given is None and not warmup:
        return None
    if given is None or isinstance(given, str):
        name = given or "constant"
        if name not in _SHAPES:
            raise ValueError(f"fit: scheduler is {name!r}; {nearest(name, _SHAPES)}")
        if steps is None:
            raise ValueError(f"fit: scheduler {name!r} needs to know how many batches the loader has; give it a length")
        shape = _SHAPES[name]
        return LambdaLR(optimizer, lambda step: factor(shape, step, steps, warmup))
    if warmup:
        raise ValueError("fit: warmup goes with a scheduler's name; a scheduler of your own brings its own")
    made: Any = given if isinstance(given, LRScheduler | ReduceLROnPlateau) else given(optimizer)
    if not callable(getattr(made, "step", None)) or not callable(getattr(made, "state_dict", None)):
        raise TypeError(
            f"fit: scheduler is {made!r}, allowed: a torch scheduler, a function of the optimizer, or a name"
        )
    if getattr(made, "optimizer", optimizer) is not optimizer:
        raise ValueError("fit: the scheduler was made for another optimizer; make it for the one that is given to fit")
    return made
