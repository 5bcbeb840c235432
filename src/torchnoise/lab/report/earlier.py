"""This run beside an earlier one."""

from __future__ import annotations

from html import escape

from ..against import Against, Change
from ..results import Results
from . import words
from .html import Cell, Column, bullets, note, table, two_lines


def earlier(against: Against | None, results: Results) -> str:
    """What was set otherwise, first; then each noise then and now."""
    if against is None:
        return ""
    lines = [_warning(against), _summary(against, results)]
    if against.changes:
        lines.append(table("Each noise then and now", _COLUMNS, [_row(c) for c in against.changes]))
        lines.append(
            note(
                "Beyond chance: more than the two intervals allow if both runs were independent, corrected for looking "
                f"at {words.counted(len(against.changes), 'noise')}. Runs that share data or seeds are more alike than "
                "that, so that this errs towards chance."
            )
        )
    for names, when in ((against.only_then, "then"), (against.only_now, "now")):
        if names:
            lines.append(note(f"Tested only {when}: {words.listed(names)}."))
    return "\n".join(line for line in lines if line)


_COLUMNS = [
    Column("noise", False),
    Column("then, points"),
    Column("now, points"),
    Column("change"),
    Column("z"),
    Column("verdict", False),
]


def _warning(against: Against) -> str:
    if not against.settings:
        return note("Data, model, training, seeds and versions are the same in both runs.")
    title = "Not the same in both runs, so that changes may come from here"
    return f'<div class="callout doubt"><b>{escape(title)}</b>{bullets(against.settings)}</div>'


def _summary(against: Against, results: Results) -> str:
    then, now = (name or "none" for name in against.winner)
    winner = f"The winner is {now}, as it was." if then == now else f"The winner is {now}; it was {then}."
    if not against.comparable:
        return f"<p>{escape(winner)} Scores are of another kind and cannot be compared.</p>"
    before, after = (words.score(value, results) for value in against.clean)
    return f"<p>{escape(winner)} Clean training scores {escape(after)} on the test set; it scored {escape(before)}.</p>"


def _row(change: Change) -> list[str | Cell]:
    colour, mark = ("", "") if change.within_chance else ("better", "●") if change.points > 0 else ("worse", "■")
    return [
        change.name,
        two_lines(words.points(change.then.mean), words.interval(change.then)),
        two_lines(words.points(change.now.mean), words.interval(change.now)),
        words.points(change.points),
        f"{change.z:+.1f}",
        Cell(f"<i>{mark}</i> {escape(change.word)}", colour),
    ]
