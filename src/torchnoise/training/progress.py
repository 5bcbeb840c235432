"""A progress bar in a terminal: epoch, step, losses, time left. Silent anywhere else."""

from __future__ import annotations

import sys
import time
from typing import Any

_EVERY = 0.2  # seconds between looks at the loss, which wait for the device


class Progress:
    """Shows nothing. `bar` makes one that does where there is somebody to look."""

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def epoch(self, number: int, done: int) -> None:
        """An epoch begins, so many of its steps done already."""

    def stepped(self, loss: Any, rows: int) -> None:
        """A step is over; loss: the epoch's sum so far, over so many rows."""

    def finished(self, row: dict[str, Any]) -> None:
        """An epoch is over."""


class Bar(Progress):
    """One bar over all epochs."""

    def __init__(self, epochs: int, steps: int | None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self._epochs, self._steps, self._looked, self._last = epochs, steps, 0.0, ""
        self._bar = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[text]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=Console(stderr=True, highlight=False),
            transient=True,
        )
        self._task = self._bar.add_task("training", total=None if steps is None else epochs * steps, text="")

    def __enter__(self) -> Bar:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def epoch(self, number: int, done: int) -> None:
        at = done + number * (self._steps or 0)
        self._bar.update(self._task, completed=at, description=f"epoch {number + 1}/{self._epochs}")

    def stepped(self, loss: Any, rows: int) -> None:
        self._bar.advance(self._task)
        now = time.monotonic()
        if now - self._looked > _EVERY:
            self._looked = now
            self._bar.update(self._task, text=f"loss {float(loss) / max(rows, 1):.4g}{self._last}")

    def finished(self, row: dict[str, Any]) -> None:
        said = [f"{k} {v:.4g}" for k, v in row.items() if k.startswith("val_")]
        self._last = "".join(f"  {each}" for each in said)


def progress_for(wanted: bool, main: bool, epochs: int, steps: int | None) -> Progress:
    """A bar on the main process's terminal, if rich is installed; nothing otherwise."""
    if wanted and main and sys.stderr.isatty():
        try:
            return Bar(epochs, steps)
        except ModuleNotFoundError:
            pass
    return Progress()
