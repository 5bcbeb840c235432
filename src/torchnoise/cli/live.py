"""What `torchnoise compare` shows while it works, and when it is done."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.live import Live as RichLive
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from ..lab.compare import Watcher
from ..lab.noises import CANDIDATES, CLEAN
from ..lab.results import FOOTNOTES
from ..lab.settings import Run, Settings
from ..lab.statistics import HELPS, HURTS, mean
from ..lab.store import Record

COLOURS = {HELPS: "bold blue", HURTS: "bold red"}


def console() -> Console:
    """Standard output; wide enough for the table where it is no terminal."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 120)


class Live(Watcher):
    """A bar with the time left, and validation accuracies that fill in."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.console = console()
        self.scores: dict[tuple[str, float], list[float]] = defaultdict(list)
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
        )
        self.task = self.progress.add_task("training", total=None)
        self.live = RichLive(console=self.console, get_renderable=self._picture, refresh_per_second=4, transient=True)

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()

    def planned(self, runs: Sequence[Run], finished: Sequence[Record]) -> None:
        self.console.print(plan_line(self.settings, len(runs), len(finished)))
        for record in finished:
            self._note(record)
        self.progress.reset(self.task, total=len(runs) - len(finished))
        # A terminal alone shows what moves; a file gets the results.
        if self.console.is_terminal:
            self.live.start()

    def finished(self, record: Record) -> None:
        self._note(record)
        self.progress.advance(self.task)

    def phase(self, text: str) -> None:
        self.progress.update(self.task, description=text)

    def _note(self, record: Record) -> None:
        score = float("nan") if record.outcome.diverged else record.outcome.validation_accuracy
        self.scores[record.run.noise, record.run.strength].append(score)

    def _picture(self) -> Group:
        table = Table(box=box.SIMPLE_HEAD, header_style="dim", pad_edge=False)
        table.add_column("noise")
        table.add_column("validation accuracy so far, strength: %")
        table.add_row(CLEAN, self._score(CLEAN, 0.0))
        for name in self.settings.noises:
            candidate = CANDIDATES[name]
            cells = (f"{x:g}: {self._score(name, x)}" for x in candidate.ladder)
            table.add_row(name, "   ".join(cell.ljust(13) for cell in cells))
        return Group(table, self.progress)

    def _score(self, name: str, strength: float) -> str:
        scores = self.scores[name, strength]
        return f"{100 * mean(scores):.2f}" if scores else "..."


def plan_line(settings: Settings, runs: int, finished: int) -> str:
    """What is about to be done, in one line."""
    rungs = sorted({len(CANDIDATES[n].ladder) for n in settings.noises})
    strengths = "/".join(map(str, rungs))
    noises = len(settings.noises)
    line = (
        f"{noises} noise{'s' * (noises > 1)} x {strengths} strengths x {settings.seeds} seeds + {settings.seeds} clean "
        f"= {runs} runs, {settings.training.epochs} epochs each"
    )
    return line + (f"; {finished} done already" if finished else "")


def results_table(results: Mapping[str, Any]) -> Table:
    """One row for each noise."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name in ("noise", "chosen strength"):
        table.add_column(name)
    for name in ("validation", "test", "difference \\[95 %]", "step cost"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    for noise in results["noises"]:
        table.add_row(*_cells(noise), style="bold" if noise["name"] == results["winner"] else "")
    clean = results["clean"]
    table.add_row(
        CLEAN, "", f"{100 * clean['validation_mean']:.2f}", f"{100 * clean['test_mean']:.2f}", "", "1.0 x", ""
    )
    return table


def _cells(noise: Mapping[str, Any]) -> tuple[str | Text, ...]:
    word = Text(noise["verdict"], style=COLOURS.get(noise["verdict"], ""))
    if not noise["chosen"]:
        return (noise["name"], "-", "-", "-", "-", "-", word)
    low, high = noise["interval"]
    return (
        noise["name"],
        f"{noise['unit']} {noise['chosen']['strength']:g}",
        f"{100 * noise['validation_mean']:.2f}",
        f"{100 * noise['test_mean']:.2f}",
        f"{noise['difference']:+.2f} \\[{low:+.2f}, {high:+.2f}]",
        f"{noise['relative_cost']:.1f} x",
        word,
    )


def show_results(results: Mapping[str, Any]) -> None:
    """The verdict, the table, the notes, and the plan to copy."""
    out = console()
    verdict = results["verdict"]
    out.print()
    out.print(Text(verdict["sentence"], style="bold"))
    if verdict["caveat"]:
        out.print(Text(verdict["caveat"]))
    out.print(results_table(results))
    out.print(Text("Accuracies in percent, differences in percentage points. " + " ".join(FOOTNOTES), style="dim"))
    winner = next((n for n in results["noises"] if n["name"] == results["winner"]), None)
    if winner is not None:
        out.print()
        for line in winner["chosen"]["code"]:
            out.print(Text("    " + line), soft_wrap=True)
    out.print()
