"""The key to curves: one for all of them, because everyone is drawn the same way everywhere."""

from __future__ import annotations

from html import escape

from .arms import Series
from .words import plain

_SWATCHES = {
    "clean": '<line x1="1" y1="6" x2="33" y2="6" stroke-width="2" stroke-dasharray="4 2.5"/>'
    '<circle cx="17" cy="6" r="3.2" stroke-width="1.4" fill="var(--paper)"/>',
    "winner": '<line x1="1" y1="6" x2="33" y2="6" stroke-width="2.2"/>'
    '<path d="M17 1.8 21.2 6 17 10.2 12.8 6z" fill="currentColor"/>',
    "other": '<line x1="1" y1="6" x2="33" y2="6" stroke-width="1.2"/>',
}


def key(series: list[Series], more: str = "") -> str:
    """Who is who in these curves."""
    named: list[tuple[str, str]] = [(one.role, one.name) for one in series if one.role != "other"]
    if len(named) < len(series):
        named.append(("other", "other noises (point at one for its name)"))
    items = "".join(f'<span class="{role}">{_swatch(role)}{escape(name)}</span>' for role, name in named)
    return f'<p class="key">{items}{f"<span>{escape(more)}</span>" if more else ""}</p>'


def _swatch(role: str) -> str:
    head = '<svg class="swatch" viewBox="0 0 34 12" aria-hidden="true" stroke="currentColor" fill="none">'
    return f"{head}{_SWATCHES[role]}</svg>"


def spoken(series: list[Series], most: int = 6) -> str:
    """The numbers of clean training and the winner, in words; of long curves a few."""
    told = []
    for one in series:
        if one.role == "other":
            continue
        step = max(1, (len(one.x) - 1) // (most - 1))
        pairs = list(zip(one.x, one.mean, strict=True))
        some = pairs[::step] if pairs[::step][-1] == pairs[-1] else [*pairs[::step], pairs[-1]]
        told.append(f"{one.name}: " + ", ".join(f"{plain(y)} at {plain(x)}" for x, y in some))
    return "; ".join(told)
