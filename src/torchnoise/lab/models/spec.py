"""A model to be trained many times: how it is made, called, and trained by default."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn

from ..data import Encoder


@dataclass(frozen=True)
class Training:
    """How every run is trained: AdamW, the learning rate falling to 0 along a half cosine after a short warm-up."""

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float = 0.0
    warmup: float = 0.0  # share of all steps in which the learning rate rises


class Model(ABC):
    """A kind of model for given data. A value: it travels to other processes, which build their own.

    name: as it was asked for;  described: what it is, in words;  training: its defaults;  encoder: what makes its
    inputs of texts, None for other data.
    """

    name: str
    described: str
    training: Training
    encoder: Encoder | None

    @abstractmethod
    def build(self, seed: int) -> nn.Module:
        """A fresh model in training mode, initialised from `seed` without moving torch's generator."""

    @abstractmethod
    def outputs(self, model: nn.Module, x: Tensor) -> Tensor:
        """Run a batch through a model that `build` made: [N, classes] or [N, 1], whatever the model gives."""
