"""Cost against gain: what a noise's training step takes, and what it gives."""

from __future__ import annotations

from string import ascii_uppercase

from ..results import Results, Timing
from . import words
from .html import Cell, Column, figure, grid, named, note, table
from .plots.scatter import Point, scatter


def cost(results: Results, timing: Timing | None) -> str:
    """A picture and a table. Nothing where no clock ran."""
    costs = {} if timing is None else timing.costs
    timed = [(n, costs[n.name], n.difference) for n in results.noises if n.name in costs and n.difference is not None]
    if timing is None or not timed:
        return ""
    columns = [Column("", False), Column("step time"), Column("memory"), Column("change, points"), Column("interval")]
    rows: list[list[str | Cell]] = []
    points = []
    for number, (noise, price, d) in enumerate(timed):
        letter = _letter(number)
        points.append(Point(letter, price.time, d.mean, d.low, d.high, noise.verdict, noise.name == results.winner))
        numbers = [f"{price.time:.2f} x", f"{price.memory:.2f} x", words.points(d.mean), words.interval(d)]
        rows.append([Cell(f"<b>{letter}</b>&ensp;{named(noise.name)}"), *numbers])
    told = "; ".join(f"{n.name}: {p.time:.2f} times the step, {words.points(d.mean)} points" for n, p, d in timed)
    picture = scatter(points, "step time, clean = 1", f"change of test {words.metric(results)}, points")
    marked = next((i for i, p in enumerate(points) if p.winner), None)
    return "\n".join(
        [
            note(
                f"A training step with each noise over a clean one, which took {timing.clean_step_ms:.3g} ms "
                "here; memory is what is kept for the backward pass. Best is the upper left. On a small model the "
                "overhead of each call outweighs the arithmetic, so that these ratios say little about larger models."
            ),
            grid(
                [
                    figure("Change against step time", picture, told, "The diamond is the winner; bars are intervals."),
                    table("Cost and gain of each noise", columns, rows, marked),
                ],
                "aside",
            ),
        ]
    )


def _letter(number: int) -> str:
    """A to Z, then A2 to Z2 and so on."""
    round_, place = divmod(number, len(ascii_uppercase))
    return ascii_uppercase[place] + (str(round_ + 1) if round_ else "")
