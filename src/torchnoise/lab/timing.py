"""What a noise costs: the time of a training step with it, over that of a clean step."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from statistics import median

import torch
from torch.nn.functional import cross_entropy

from .. import attach
from .data import Data
from .models import mlp
from .run import optimizer_for, plan_of
from .settings import Run, Settings

BLOCKS, STEPS = 9, 12


def relative_cost(run: Run, data: Data, settings: Settings) -> float:
    """The median over blocks of (noisy block's time / clean block's time), in this process, on one thread.

    Blocks alternate, so that a machine that slows down slows both. The first pair warms up and is not counted.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ExitStack() as stack:
            clean = _stepper(None, data, settings, stack)
            noisy = _stepper(run, data, settings, stack)
            ratios = [_block(noisy) / _block(clean) for _ in range(BLOCKS + 1)]
    finally:
        torch.set_num_threads(threads)
    return median(ratios[1:])


def _stepper(run: Run | None, data: Data, settings: Settings, stack: ExitStack) -> Callable[[], None]:
    """A function that takes one training step of a fresh model, always on the same batch."""
    model = mlp(0)
    optimizer = optimizer_for(model, settings.training)
    plan = None if run is None else plan_of(run)
    if plan is not None:
        stack.enter_context(attach(model, plan, seed=0, optimizer=optimizer))
    x, y = (t[: settings.training.batch_size] for t in data.train.tensors())

    def step() -> None:
        optimizer.zero_grad()
        cross_entropy(model(x), y).backward()
        optimizer.step()

    return step


def _block(step: Callable[[], None]) -> float:
    began = time.perf_counter()
    for _ in range(STEPS):
        step()
    return time.perf_counter() - began
