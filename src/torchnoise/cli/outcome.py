"""What `torchnoise compare` shows when it is done."""

from __future__ import annotations

from rich import box
from rich.table import Table
from rich.text import Text

from ..lab.against import Against
from ..lab.results import Noise, Results, Timing
from ..lab.statistics import HELPS, HURTS
from .console import console

COLOURS = {HELPS: "bold blue", HURTS: "bold red"}


def show_results(results: Results, timing: Timing, change: Against | None) -> None:
    """The verdict, the table, the notes, and the plan to copy."""
    out = console()
    out.print()
    out.print(Text(results.verdict.sentence, style="bold"))
    for caveat in results.verdict.caveats:
        out.print(Text(caveat))
    out.print(results_table(results, timing))
    unit = "accuracy" if results.data.metric == "accuracy" else "R2"
    out.print(
        Text(
            f"Test {unit} in percent, differences in points. The winner's interval is that of one test; those of "
            f"the others, and their verdicts, are corrected for looking at {max(len(results.noises) - 1, 1)}.",
            style="dim",
        )
    )
    if change is not None:
        for line in change.lines():
            out.print(Text(line), soft_wrap=True)
    winner = next((noise for noise in results.noises if noise.name == results.winner), None)
    if winner is not None and winner.chosen is not None:
        out.print()
        for line in winner.chosen.code:
            out.print(Text("    " + line), soft_wrap=True)
    out.print()


def results_table(results: Results, timing: Timing) -> Table:
    """One row for each noise."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name in ("noise", "chosen strength"):
        table.add_column(name)
    for name in ("validation", "test", "difference \\[95 %]", "step cost"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict")
    for noise in results.noises:
        table.add_row(*_cells(noise, timing), style="bold" if noise.name == results.winner else "")
    arm = results.clean.arm
    table.add_row("clean", "", _percent(arm.validation), f"{100 * arm.test_mean:.2f}", "", "1.0 x", "")
    return table


def _percent(shares: list[float]) -> str:
    return f"{100 * sum(shares) / len(shares):.2f}"


def _cells(noise: Noise, timing: Timing) -> tuple[str | Text, ...]:
    word = Text(noise.verdict, style=COLOURS.get(noise.verdict, ""))
    if noise.chosen is None or noise.arm is None or noise.difference is None:
        return (noise.name, "-", "-", "-", "-", "-", word)
    found = noise.difference
    cost = timing.costs.get(noise.name)
    return (
        noise.name,
        f"{noise.unit} {noise.chosen.strength:g}",
        _percent(noise.arm.validation),
        f"{100 * noise.arm.test_mean:.2f}",
        f"{found.mean:+.2f} \\[{found.low:+.2f}, {found.high:+.2f}]",
        "" if cost is None else f"{cost.time:.1f} x",
        word,
    )
