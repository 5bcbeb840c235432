"""Validation: the mean loss over the examples and a metric, without noise."""

from __future__ import annotations

import torch

from .batches import size_of, take_apart
from .loaders import Feed
from .losses import batch_loss
from .metrics import metric_for
from .trainer import Trainer


def evaluate(trainer: Trainer, feed: Feed) -> dict[str, float]:
    """val_loss and, where there is one, the metric under its name; over the examples of all processes.

    The same order and the same random transforms each time.
    """
    from accelerate.utils import send_to_device

    accelerator, settings, model = trainer.accelerator, trainer.settings, trainer.inner
    metric = metric_for(settings.metric, accelerator.device)
    loss = torch.zeros((), dtype=trainer.wide, device=accelerator.device)
    rows = 0
    model.eval()
    with torch.no_grad():
        for piece in feed.epoch(0):
            if not piece.rows:
                continue
            parts = take_apart(piece.batch, trainer.bare, settings.loss is not None)
            args, kwargs, target = send_to_device(tuple(parts), accelerator.device, non_blocking=True)
            output = model(*args, **kwargs)
            loss += batch_loss(settings.loss, output, target, size_of(piece.batch)) * piece.rows
            metric.update(output, target, piece.rows, trainer.bare)
            rows += piece.rows
    weighted, weight = metric.sums()
    sums = torch.stack(
        [loss, *(torch.as_tensor(v, dtype=loss.dtype, device=loss.device) for v in (rows, weighted, weight))]
    )
    total, count, weighted, weight = accelerator.reduce(sums, "sum").tolist()
    if not count:
        raise ValueError("fit: val_loader has no examples")
    found = {"val_loss": total / count}
    if weight:
        found[f"val_{metric.name}"] = weighted / weight
    return found
