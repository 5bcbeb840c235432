"""The study's tables and its picture."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from kit.picture import BLUE, INK, ORANGE, RED, axes, figure, label, legend
from kit.study import table
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from worlds import WORLDS

Rows = list[dict[str, Any]]


def error(share: list[int]) -> float:
    """The standard error of a simulated share; of 0 or all, as if one had been otherwise."""
    count, of = min(max(share[0], 1), share[1] - 1), share[1]
    return math.sqrt(count / of * (1 - count / of) / of)


def percent(share: list[int]) -> str:
    return f"{100 * share[0] / share[1]:.1f} ± {100 * error(share):.1f}"


def bias(row: Mapping[str, Any]) -> str:
    return "{:+.2f} ± {:.2f}".format(*row["bias"])


def size(row: Mapping[str, Any]) -> list[str]:
    return [str(row["seeds"]), f"{row['examples']:,}"]


def world(row: Mapping[str, Any]) -> str:
    return WORLDS[row["world"]].name


def tables(found: Mapping[str, Rows]) -> dict[str, str]:
    """The page's tables."""
    return {
        "null": table(
            ["world", "seeds", "test examples", "winner helps, %", "winner hurts, %", "any claim on others, %", "bias"],
            [
                [world(r), *size(r), percent(r["helps"]), percent(r["hurts"]), percent(r["others"]), bias(r)]
                for r in found["null"]
            ],
        ),
        "naive": table(
            ["way of comparing", "says the winner helps, %", "and by how much, on average"],
            [[r["way"], percent(r["helps"]), bias(r)] for r in [*found["naive"], *_as_built(found).values()]],
        ),
        "planted": table(
            ["true effect", "seeds", "test examples", "right noise wins, %", "and is said to help, %",
             "winner's interval covers, %", "the others' cover all at once, %", "false claim on another, %", "bias"],
            [
                [
                    f"{r['points']:g}",
                    *size(r),
                    *(percent(r[k]) for k in ("right", "found", "covered", "others_covered", "others_false")),
                    bias(r),
                ]
                for r in found["planted"]
            ],
        ),
        "detectable": table(
            ["world", "seeds", "test examples", "called detectable, points", "found, %"],
            [[world(r), *size(r), f"{r['points']:.2f}", percent(r["found"])] for r in found["detectable"]],
        ),
        "effects": table(
            ["world", "true effect", "seeds", "test examples", "interval lies below it, %", "above it, %"],
            [
                [world(r), f"{r['points']:g}", *size(r), percent(r["below"]), percent(r["above"])]
                for r in found["effects"]
            ],
        ),
        "intervals": table(
            ["world", "seeds", "test examples", "ours: misses, %", "half width", "t over seeds: misses, %",
             "half width", "Satterthwaite: misses, %", "half width"],
            [
                [world(r), *size(r), *(cell for k in ("ours", "t", "satterthwaite") for cell in _misses(r[k]))]
                for r in found["intervals"]
            ],
        ),
    }  # fmt: skip


def _misses(found: list[Any]) -> list[str]:
    return [percent(found[:2]), f"{found[2]:.2f}"]


def _as_built(found: Mapping[str, Rows]) -> dict[str, dict[str, Any]]:
    """What `torchnoise compare` does, in the same worlds."""
    ways = {
        "accuracy": "**`torchnoise compare`**: 35 arms, searched and tested on different seeds",
        "seeds": "**the same**, where seeds differ much",
    }
    rows = {r["world"]: r for r in found["null"] if (r["seeds"], r["examples"]) == (5, 719)}
    return {name: {**rows[name], "way": way} for name, way in ways.items()}


def draw(found: Mapping[str, Rows]) -> Figure:
    """False winners by way of comparing; false claims by size; what is found."""
    made = figure(7.0)
    _ways(axes(made, 2.75, 4.55, 4.95, 2.05, "Nothing helps. How often is a winner announced?"), found)
    _false_claims(axes(made, 1.6, 0.65, 2.55, 3.0, "False claims of torchnoise compare"), found["null"])
    _power(axes(made, 4.95, 0.65, 2.75, 3.0, "One noise helps. Is it found?"), found["planted"])
    return made


SHORT = {
    "one noise alone, t test over seeds": "one noise alone,\nt test over 5 seeds",
    "ten noises, best test score, t test over seeds": "best of ten on the test set,\nt test over 5 seeds",
    "35 arms, best test score, t test over seeds": "best of 35 on the test set,\nt test over 5 seeds",
    "the same, where seeds differ much": "best of 35 on validation, same seeds\n(seeds differ much), our interval",
    "": "torchnoise compare:\nother seeds, our interval",
}


def _ways(on: Axes, found: Mapping[str, Rows]) -> None:
    ways = {row["way"]: row for row in found["naive"]} | {"": _as_built(found)["accuracy"]}
    for place, (name, _) in enumerate(SHORT.items()):
        share = 100 * ways[name]["helps"][0] / ways[name]["helps"][1]
        on.barh(-place, share, height=0.62, color=RED if name else BLUE)
        on.text(max(share, 2.5) + 0.6, -place, f"{share:.1f} %", va="center", fontsize=9.5, color=INK)
    on.set_yticks([-i for i in range(len(SHORT))], list(SHORT.values()))
    on.tick_params(axis="y", length=0, labelcolor=INK)
    on.axvline(2.5, color=INK, linewidth=1, linestyle="--")
    on.set_xlim(0, 1.17 * max(100 * ways[name]["helps"][0] / ways[name]["helps"][1] for name in SHORT))
    label(on, "comparisons that say a noise helps, % (dashed: 2.5, the promise)")


def _false_claims(on: Axes, rows: Rows) -> None:
    marks = {
        "helps": ("winner helps", BLUE, "o"),
        "hurts": ("winner hurts", ORANGE, "s"),
        "others": ("another", INK, "^"),
    }
    for step, (key, (name, colour, mark)) in enumerate(marks.items()):
        y = [-place + 0.25 * (1 - step) for place in range(len(rows))]
        shares = [100 * row[key][0] / row[key][1] for row in rows]
        on.errorbar(
            shares, y, xerr=[200 * error(row[key]) for row in rows], fmt=mark, color=colour, markersize=3.5,
            linewidth=1, label=name,
        )  # fmt: skip
    for promised in (2.5, 5.0):
        on.axvline(promised, color=INK, linewidth=1, linestyle="--")
    names = [f"{WORD[row['world']]}, {row['seeds']} x {row['examples']}" for row in rows]
    on.set_yticks([-i for i in range(len(rows))], names)
    on.set_xlim(0, 11.5)
    legend(on, "lower right")
    label(on, "% (bars: two standard errors)")


WORD = {"accuracy": "digits", "R2": "R2", "seeds": "seeds", "examples": "examples"}


def _power(on: Axes, rows: Rows) -> None:
    for (seeds, examples), colour, line in zip(
        dict.fromkeys((r["seeds"], r["examples"]) for r in rows), (BLUE, ORANGE, RED), ("-", "--", ":"), strict=True
    ):
        some = [r for r in rows if (r["seeds"], r["examples"]) == (seeds, examples)]
        shares = [100 * r["found"][0] / r["found"][1] for r in some]
        on.plot(
            [r["points"] for r in some],
            shares,
            line,
            marker="o",
            color=colour,
            label=f"{seeds} seeds, {examples} examples",
        )
    on.set_ylim(0, 103)
    on.set_xlim(0.4, 2.1)
    on.set_xticks([0.5, 1.0, 2.0])
    legend(on, "lower right")
    label(on, "true effect, points of accuracy", "right winner, said to help, %")
