"""`torchnoise noises`: what compare can try."""

from __future__ import annotations

from rich import box
from rich.table import Table

from ..lab.data import IMAGE, TABLE, TEXT
from ..lab.noises import CANDIDATES
from . import say
from .console import console

KINDS = (TABLE, IMAGE, TEXT)


def run_noises(kind: str | None) -> int:
    """The command's work; returns the exit status."""
    if kind is not None and kind not in KINDS:
        say(f"--kind {kind}, allowed: {', '.join(KINDS)}")
        return 2
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name in ("noise", "strength", "rule of thumb", "for", "what it does"):
        table.add_column(name, justify="right" if name == "rule of thumb" else "left")
    for one in CANDIDATES.values():
        if kind is None or kind in one.kinds:
            said = one.description + (" (no noise: a regulariser to compare with)" if one.baseline else "")
            rule = f"{one.rule:g}" + (" std" if one.per_std else "")
            table.add_row(one.name, one.unit, rule, ", ".join(one.kinds), said)
    console().print(table)
    return 0
