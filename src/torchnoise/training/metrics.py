"""Metrics over a validation set: accuracy, a user's function, or a torchmetrics Metric."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from .batches import logits_of
from .losses import classes_second

_SHIFTED = re.compile(r"CausalLM|LMHead")  # Transformers' models whose logits at t are about the token at t + 1


def snake(name: str) -> str:
    """
    >>> snake("MulticlassF1Score"), snake("top_5")
    ('multiclass_f1_score', 'top_5')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


class Metric:
    """Collects batches; `sums` are (weighted sum, weight), which add up over processes."""

    name = "metric"

    def update(self, output: Any, target: Any, rows: int, model: nn.Module) -> None:
        """One batch."""
        raise NotImplementedError

    def sums(self) -> tuple[float | Tensor, float]:
        """The sum and its weight; the weight is 0 where there is nothing to say."""
        raise NotImplementedError


class Accuracy(Metric):
    """The share of right classes among targets that are class numbers other than -100. Silent for other targets."""

    name = "acc"

    def __init__(self) -> None:
        self._right: float | Tensor = 0.0
        self._counted: float | Tensor = 0.0

    def update(self, output: Any, target: Any, rows: int, model: nn.Module) -> None:
        out = logits_of(output)
        if not isinstance(out, Tensor) or not isinstance(target, Tensor):
            return
        if target.is_floating_point() or target.dtype == torch.bool:
            return
        try:
            out, target = classes_second(out, target, last=out is not output)
        except ValueError:
            return  # a loss of the user's own may compare what has no classes
        if out.dim() == 3 and _SHIFTED.search(type(model).__name__):
            out, target = out[:, :, :-1], target[:, 1:]
        counted = target != -100
        # not-a-number is never right
        right = (out.argmax(1) == target) & torch.isfinite(out).all(1) & counted
        self._right, self._counted = self._right + right.sum(), self._counted + counted.sum()

    def sums(self) -> tuple[float | Tensor, float]:
        return self._right, float(self._counted)


class Function(Metric):
    """A function of (output, target): a number for the batch, weighted by its examples, or one for each example."""

    def __init__(self, function: Callable[[Any, Any], Any]) -> None:
        self._function = function
        inner: Any = function
        while hasattr(inner, "func"):
            inner = inner.func
        name = getattr(inner, "__name__", None) or snake(type(inner).__name__)
        self.name = "metric" if name == "<lambda>" else name
        self._sum, self._rows = 0.0, 0

    def update(self, output: Any, target: Any, rows: int, model: nn.Module) -> None:
        value = torch.as_tensor(self._function(logits_of(output), target)).detach().double()
        if value.dim() == 0:
            value = value * rows
        elif value.numel() != rows:
            raise ValueError(
                f"fit: the metric {self.name} gave shape {tuple(value.shape)} for {rows} examples, allowed: one "
                "number, or one for each example"
            )
        self._sum, self._rows = self._sum + float(value.sum()), self._rows + rows

    def sums(self) -> tuple[float | Tensor, float]:
        return self._sum, float(self._rows)


class Counted(Metric):
    """A torchmetrics Metric, which reduces over processes itself."""

    def __init__(self, metric: Any, device: torch.device) -> None:
        self._metric = metric.to(device)
        self._metric.reset()
        self.name = snake(type(metric).__name__)
        self._updated = False

    def update(self, output: Any, target: Any, rows: int, model: nn.Module) -> None:
        self._metric.update(logits_of(output), target)
        self._updated = True

    def sums(self) -> tuple[float | Tensor, float]:
        with warnings.catch_warnings():
            if not self._updated:  # a process without examples takes part in the reduction all the same
                warnings.simplefilter("ignore")
            value = torch.as_tensor(self._metric.compute())
        if value.numel() != 1:
            raise ValueError(f"fit: the metric {self.name} gave shape {tuple(value.shape)}, allowed: one number")
        return float(value), 1.0


def metric_for(given: Any, device: torch.device) -> Metric:
    """A fresh metric for one validation.

    Raises:
        TypeError: neither a function nor a torchmetrics Metric.
    """
    if given is None:
        return Accuracy()
    if all(callable(getattr(given, name, None)) for name in ("update", "compute", "reset", "to")):
        return Counted(given, device)
    if not callable(given):
        raise TypeError(f"fit: metric is {given!r}, allowed: a function of (output, target), or a torchmetrics Metric")
    return Function(given)
