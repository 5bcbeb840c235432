"""One training run. It sees training and validation data, and nothing else."""

from __future__ import annotations

import math
import time
from contextlib import nullcontext
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from .. import Plan, attach
from .data import Data
from .models import accuracy, mlp
from .noises import CANDIDATES, CLEAN
from .settings import Run, Settings, Training, seeds_of


class Outcome(NamedTuple):
    """What a run gave. train_loss and train_accuracy are without noise; diverged says why training stopped early."""

    validation_accuracy: float
    train_accuracy: float
    train_loss: float
    seconds: float
    diverged: str | None = None


def plan_of(run: Run) -> Plan | None:
    """The run's plan, None for a clean run."""
    return None if run.noise == CLEAN else CANDIDATES[run.noise].plan(run.strength)


def optimizer_for(model: nn.Module, training: Training) -> torch.optim.SGD:
    return torch.optim.SGD(model.parameters(), lr=training.learning_rate, momentum=training.momentum)


def half_cosine(step: int, steps: int) -> float:
    """The learning rate's factor: 1 at the first step, nearly 0 at the last."""
    return 0.5 * (1.0 + math.cos(math.pi * step / steps))


def train(run: Run, data: Data, settings: Settings) -> tuple[nn.Module, Outcome]:
    """Train one model. Every noise with this seed starts from the same weights and sees the same batches."""
    seeds = seeds_of(settings.seed, run.seed)
    model = mlp(seeds.init)
    optimizer = optimizer_for(model, settings.training)
    plan = plan_of(run)
    noise = nullcontext() if plan is None else attach(model, plan, seed=seeds.noise, optimizer=optimizer)
    x, y = data.train.tensors()
    began = time.perf_counter()
    diverged = None
    with noise as attached:
        try:
            _fit(model, optimizer, x, y, settings.training, seeds.batches, attached)
        except FloatingPointError as error:
            diverged = str(error)
    seconds = time.perf_counter() - began
    train_accuracy = accuracy(model, x, y)
    with torch.no_grad():
        train_loss = float(cross_entropy(model(x), y))
    validation = accuracy(model, *data.validation.tensors())
    if diverged is None and not math.isfinite(train_loss):
        diverged = f"the last step left a training loss of {train_loss}"
    return model, Outcome(validation, train_accuracy, train_loss, seconds, diverged)


def _fit(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    x: Tensor,
    y: Tensor,
    training: Training,
    batch_seed: int,
    noise: object,
) -> None:
    generator = torch.Generator().manual_seed(batch_seed)
    steps = training.epochs * math.ceil(len(y) / training.batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: half_cosine(step, steps))
    check = getattr(noise, "check", check_finite)
    model.train()
    for _ in range(training.epochs):
        for rows in torch.randperm(len(y), generator=generator).split(training.batch_size):
            loss = cross_entropy(model(x[rows]), y[rows])
            check(loss)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()


def check_finite(loss: Tensor) -> None:
    """What an attachment's check does, for a run without noise."""
    if not bool(torch.isfinite(loss)):
        raise FloatingPointError(f"the loss is {loss.item()}")
