"""What `torchnoise compare` shows while it works."""

from __future__ import annotations

from collections import defaultdict

from rich import box
from rich.console import Group
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

from ..lab.budget import runs_of
from ..lab.entrants import Entrants
from ..lab.run import Bench
from ..lab.settings import SEARCH, Parts, Settings
from ..lab.store import Record
from ..lab.watcher import Watcher
from . import say
from .console import console


class Live(Watcher):
    """A bar with the time left, and validation scores that fill in."""

    def __init__(self) -> None:
        self.console = console()
        self.scores: dict[tuple[Parts, str], list[float]] = defaultdict(list)
        self.names: tuple[str, ...] = ()
        self.before = 0
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
        )
        self.training = self.progress.add_task("training", total=None)
        self.piece = self.progress.add_task("", total=None, visible=False)
        self.live = RichLive(console=self.console, get_renderable=self._picture, refresh_per_second=4, transient=True)

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()

    def prepared(self, settings: Settings, bench: Bench, entrants: Entrants) -> None:
        data = bench.data
        for doubt in data.doubts:
            say(doubt)
        self.names = tuple(entrants.noises)
        self.console.print(data.said, soft_wrap=True, markup=False)
        training = bench.training
        self.console.print(
            f"{bench.model.described}; {training.epochs} epoch{'s' * (training.epochs > 1)}, batches of "
            f"{training.batch_size}; {', '.join(self.names)}",
            soft_wrap=True,
            markup=False,
        )
        # A terminal alone shows what moves; a file gets the results.
        if self.console.is_terminal:
            self.live.start()

    def expecting(self, settings: Settings, entrants: Entrants) -> None:
        noises = len(entrants.noises)
        total = runs_of(settings, noises, len(entrants.partners))
        self.progress.update(self.training, total=total)
        search = " + ".join(map(str, settings.rounds))
        self.console.print(
            f"{noises} noise{'s' * (noises > 1)} x {settings.rungs} strengths, searched with {search} seeds by "
            f"halving; then {settings.seeds} fresh seeds each: about {total} runs",
            soft_wrap=True,
        )

    def finished(self, record: Record, before: bool) -> None:
        run, outcome = record.run, record.outcome
        self.scores[run.parts, run.phase].append(float("nan") if outcome.diverged else outcome.validation)
        self.before += before
        self.progress.advance(self.training)

    def phase(self, text: str, count: int | None = None) -> None:
        if self.before:
            self.console.print(f"{self.before} runs are done already")
            self.before = 0
        if count is None:
            self.progress.update(self.training, description=text)
        else:  # training is over
            self.progress.update(self.training, visible=False)
            self.progress.reset(self.piece, total=count, description=text, visible=True)

    def step(self) -> None:
        self.progress.advance(self.piece)

    def _picture(self) -> Group:
        table = Table(box=box.SIMPLE_HEAD, header_style="dim", pad_edge=False)
        table.add_column("noise")
        table.add_column("validation score so far, strength: %")
        table.add_row("clean", self._score((), SEARCH))
        for name in self.names:
            arms = sorted(
                parts for parts, phase in self.scores if phase == SEARCH and len(parts) == 1 and parts[0][0] == name
            )
            cells = (f"{parts[0][1]:g}: {self._score(parts, SEARCH)}" for parts in arms)
            table.add_row(name, "   ".join(cell.ljust(13) for cell in cells) or "...")
        return Group(table, self.progress)

    def _score(self, parts: Parts, phase: str) -> str:
        scores = self.scores.get((parts, phase))
        return f"{100 * sum(scores) / len(scores):.2f}" if scores else "..."
