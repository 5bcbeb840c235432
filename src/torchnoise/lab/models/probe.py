"""Whether a model of the user's fits the data: one small batch, before anything is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ...training.batches import logits_of
from ..data import Data
from ..task import Task


@contextmanager
def evaluating(model: nn.Module) -> Iterator[torch.device]:
    """No gradients, and evaluation mode, after which each module is in its own again. Gives the model's device."""
    training = [(m, m.training) for m in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            yield next((p.device for p in model.parameters()), torch.device("cpu"))
    finally:
        for module, mode in training:
            module.training = mode


def wanted(task: Task) -> str:
    """What a model has to give, in words."""
    return "1 output, for a number" if task.classes is None else f"{task.outputs} outputs, one for each class"


def probe(model: nn.Module, data: Data, run: Callable[[nn.Module, Tensor], Any] | None = None) -> None:
    """Run two training examples through the model, which stays in its modes.

    run: how, where that is not model(x).

    Raises:
        ValueError: its forward fails, or gives other outputs than the data want; one line.
    """
    x = data.train.x[:2]
    try:
        with evaluating(model) as device:
            output = model(x.to(device)) if run is None else run(model, x.to(device))
    except Exception as error:  # the model is the user's: anything can happen in it
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(f"its forward failed on a batch of shape {tuple(x.shape)}: {first}") from error
    out = logits_of(output)
    rows = x.shape[0]
    shapes = [(rows, data.task.outputs)] if data.task.classes is not None else [(rows, 1), (rows,)]
    gave = f"shape {tuple(out.shape)}" if isinstance(out, Tensor) else f"type {type(out).__name__}"
    if not isinstance(out, Tensor) or tuple(out.shape) not in shapes:
        raise ValueError(
            f"its output for a batch of shape {tuple(x.shape)} has {gave}, allowed: {shapes[0]}: {wanted(data.task)}"
        )
