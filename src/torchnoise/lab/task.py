"""What is learned: one of several classes, or a number; and how well, example by example."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Task:
    """classes: their names, y being their numbers (int64 [N]); None where y is a number (float32 [N]), given in
    standard deviations of the training part: y = (number - mean) / std."""

    classes: tuple[str, ...] | None
    mean: float = 0.0
    std: float = 1.0

    @property
    def outputs(self) -> int:
        """How many numbers a model has to give."""
        return 1 if self.classes is None else len(self.classes)

    @property
    def metric(self) -> Literal["accuracy", "R2"]:
        """What `scores` average to: "accuracy", or "R2", the share of the variance that is explained."""
        return "R2" if self.classes is None else "accuracy"

    def losses(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Each example's loss: cross-entropy, or the squared error. outputs: [N, classes] or [N, 1]."""
        if self.classes is None:
            return (outputs.float().squeeze(1) - y) ** 2
        return functional.cross_entropy(outputs.float(), y, reduction="none")

    def loss(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Their mean, which training lowers."""
        if self.classes is None:
            return functional.mse_loss(outputs.float().squeeze(1), y)
        return functional.cross_entropy(outputs.float(), y)

    def scores(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Each example's share in the metric: float64 [N], whose mean is the metric of these examples.

        Accuracy: 1 where right, 0 where wrong or not finite. R2: 1 - (y - output)^2 / variance of y.
        """
        if self.classes is None:
            y = y.double()
            spread = ((y - y.mean()) ** 2).mean().clamp_min(torch.finfo(torch.float64).tiny)
            return 1.0 - (outputs.double().squeeze(1) - y) ** 2 / spread
        return ((outputs.argmax(1) == y) & torch.isfinite(outputs).all(1)).double()
