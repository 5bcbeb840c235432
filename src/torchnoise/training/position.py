"""Where a run is, between two steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .trainer import Stepped


@dataclass
class Position:
    """`done` steps of epoch number `epoch`, `step` steps of the run, and the epoch's sums so far.

    loss, rows: of this process, numbers or tensors; rate: the last step's learning rate; ended: a callback said so.
    """

    epoch: int = 0
    done: int = 0
    step: int = 0
    loss: Any = 0.0
    rows: int = 0
    norm: Any = 0.0
    norms: int = 0
    rate: float = 0.0
    seconds: float = 0.0
    ended: bool = False

    def add(self, stepped: Stepped) -> None:
        """One step more."""
        self.done, self.step, self.rate = self.done + 1, self.step + 1, stepped.rate
        self.loss, self.rows = self.loss + stepped.loss, self.rows + stepped.rows
        if not stepped.skipped:
            self.norm, self.norms = self.norm + stepped.norm.to(stepped.loss.dtype), self.norms + 1

    def next(self) -> Position:
        """The beginning of the next epoch."""
        return Position(epoch=self.epoch + 1, step=self.step, ended=self.ended)
