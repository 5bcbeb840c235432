"""The table of all noises, and what its numbers mean."""

from __future__ import annotations

from html import escape

from ..results import Noise, Results
from . import words
from .html import Cell, Column, bullets, table, two_lines


def numbers(results: Results) -> str:
    """Every noise in a row, clean training last."""
    metric = words.metric(results)
    errors = results.clean.arm.rmse is not None
    columns = [
        Column("noise", False),
        Column("strength", False),
        Column(f"validation {metric}"),
        Column(f"test {metric}"),
        *([Column("test RMSE")] if errors else []),
        Column(f"change, points, and {words.coverage(results)} interval"),
        Column("p-value"),
        Column("corrected p-value"),
        Column("detectable, points"),
        Column("verdict", False),
    ]
    rows = [_row(n, results, errors) for n in results.noises]
    arm = results.clean.arm
    rmse = [words.plain(arm.rmse) if arm.rmse is not None else ""] if errors else []
    scores = [words.score(words.mean(arm.validation), results), words.score(arm.test_mean, results)]
    rows.append(["clean", "", *scores, *rmse, *[""] * 5])
    marked = next((i for i, n in enumerate(results.noises) if n.name == results.winner), None)
    return table("All noises in numbers", columns, rows, marked) + bullets(footnotes(results))


def _row(noise: Noise, results: Results, errors: bool) -> list[str | Cell]:
    name = two_lines(noise.name, noise.description)
    found, arm = noise.difference, noise.arm
    if found is None or arm is None:
        return [name, words.untested(noise), *[""] * (6 + errors), _word(noise)]
    rmse = [words.plain(arm.rmse) if arm.rmse is not None else ""] if errors else []
    winner = noise.name == results.winner
    return [
        name,
        words.at_strength(noise),
        words.score(words.mean(arm.validation), results),
        words.score(arm.test_mean, results),
        *rmse,
        two_lines(words.points(found.mean), words.interval(found)),
        words.probability(found.p),
        "one test" if winner else words.probability(found.p_adjusted),
        words.points(found.detectable).lstrip("+"),
        _word(noise),
    ]


def _word(noise: Noise) -> Cell:
    colour, mark = words.look(noise.verdict)
    return Cell(f'<span class="{colour}"><i>{mark}</i> {escape(noise.verdict)}</span>')


def footnotes(results: Results) -> list[str]:
    """What the numbers are, and what they are not."""
    notes = [
        "Differences are paired: the same seed means the same initial weights, batches and split, with and without "
        "noise.",
        f"Points are hundredths of the test {words.metric(results)}.",
        f"{words.coverage(results)} intervals cover the chance of initialisation, batches and noise, and of which "
        "examples are in the test set. They do not cover another split, another model or other data.",
        "Strengths and the winner were chosen on validation data and on seeds of the search alone. Everything shown as "
        "a test score was trained again on fresh seeds, and the test set was scored once.",
        "The winner's test is therefore one test. The other noises are a family of tests: their p-values and verdicts "
        "are corrected by Holm's method, and their intervals are wider: they cover all true differences at once.",
        "Detectable: the smallest true change that a comparison of this size finds four times in five.",
    ]
    if results.data.metric == "R2":
        notes.insert(2, "R2 is the share of the test part's variance that is explained: 1 is perfect, 0 is the mean.")
    if any(n.difference is None for n in results.noises):
        notes.append("A noise with which training diverged has no test score, and is not part of the correction.")
    return notes
