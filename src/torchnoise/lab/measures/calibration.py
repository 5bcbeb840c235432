"""Whether a network is as sure as it is right: likelihood, calibration error, and the bins of its diagram.

An example whose outputs are not finite counts as one whose label got the probability 2^-52, with full confidence in
another: the least that scikit-learn's log_loss lets a probability be.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, FiniteFloat
from torch import Tensor
from torch.nn import functional

from ..task import Task

BINS = 15
LEAST = 2.0**-52


class Bins(BaseModel):
    """Sums over examples by confidence, in bins of equal width from 0 to 1: how many, their confidences, how many of
    them were right."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: list[int]
    confidence: list[FiniteFloat]
    right: list[int]

    def __add__(self, other: Bins) -> Bins:
        return Bins(**{name: [a + b for a, b in zip(v, getattr(other, name), strict=True)] for name, v in self})

    def error(self) -> float:
        """The expected calibration error: sum over bins of |confidences - rights| / number of all examples.

        Source: Guo et al., "On calibration of modern neural networks", ICML 2017, equation 3.
        """
        gaps = (abs(c - r) for c, r in zip(self.confidence, self.right, strict=True))
        return sum(gaps) / max(sum(self.count), 1)


def bins_of(outputs: Tensor, y: Tensor) -> Bins:
    """The bins of a classifier's outputs (before softmax) for examples of classes y: float [N, classes], int64 [N]."""
    known = torch.isfinite(outputs).all(1)
    confidence, said = torch.softmax(outputs.double(), 1).max(1)
    sure = torch.where(known, confidence, 1.0).numpy()
    right = (known & (said == y)).numpy()
    place = np.minimum((sure * BINS).astype(np.int64), BINS - 1)  # 1 is in the last bin
    count, confidences, rights = (np.bincount(place, w, BINS) for w in (None, sure, right))
    return Bins(count=count.tolist(), confidence=confidences.tolist(), right=rights.astype(int).tolist())


def nll_of_classes(outputs: Tensor, y: Tensor) -> float:
    """The mean negative log-likelihood of the classes, in nats."""
    losses = functional.cross_entropy(outputs.double(), y, reduction="none")
    return float(torch.where(torch.isfinite(outputs).all(1), losses, -math.log(LEAST)).mean())


def nll_of_numbers(outputs: Tensor, y: Tensor, variance: float) -> float:
    """The mean negative log-likelihood, in nats, under a Gaussian around each output with this variance."""
    squares = (outputs.double().squeeze(1) - y.double()).square()
    variance = max(variance, torch.finfo(torch.float64).tiny)
    return float((0.5 * math.log(2 * math.pi * variance) + squares / (2 * variance)).mean())


def nll(task: Task, outputs: Tensor, y: Tensor, validation: Tensor, validation_y: Tensor) -> float:
    """The mean negative log-likelihood: of numbers (as training sees them, standardised) with the validation part's
    mean squared error as variance; not finite where one of their outputs is not."""
    if task.classes is not None:
        return nll_of_classes(outputs, y)
    return nll_of_numbers(outputs, y, float(task.losses(validation, validation_y).double().mean()))
