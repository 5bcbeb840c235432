"""Figures of matplotlib, and the SVG they become. Lengths are in CSS pixels of a picture shown at its own size."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from html import escape
from typing import Any

# Colours that stand for the page's own; CSS variables take their place in the SVG.
INK, MUTED, LINE, NEUTRAL, BETTER, WORSE, PAPER, CHOSEN = (f"#01020{i}" for i in range(1, 9))
_VARIABLES = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    NEUTRAL: "var(--neutral)",
    BETTER: "var(--better)",
    WORSE: "var(--worse)",
    PAPER: "var(--paper)",
    CHOSEN: "var(--chosen)",
}
COLOURS = {"better": BETTER, "worse": WORSE, "neutral": NEUTRAL}
DASHES = (0, (4, 2.5))
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text
    "text.parse_math": False,  # names may hold dollar signs
    "axes.unicode_minus": False,  # as in the tables
    "path.simplify": True,
}


def settings(name: str) -> Any:
    """matplotlib's settings while a picture is drawn. name: from which identifiers inside the SVG are made."""
    import matplotlib

    return matplotlib.rc_context({**_SETTINGS, "svg.hashsalt": name})


def new_figure(width: float, height: float, margins: tuple[float, float, float, float]) -> tuple[Any, Any]:
    """A figure and its axes. margins: left, right, top, bottom."""
    # Figures of their own, not pyplot's: no window system, no state left behind.
    from matplotlib.figure import Figure

    left, right, top, bottom = margins
    figure = Figure(figsize=(width / 72, height / 72), dpi=72)
    box = (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height)
    axes = figure.add_axes(box)
    figure.patch.set_visible(False)
    axes.patch.set_visible(False)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(LINE)
    axes.tick_params(colors=MUTED, labelsize=11, length=0, pad=5)
    axes.tick_params(which="minor", length=0, labelsize=0)
    return figure, axes


def label_axes(axes: Any, x: str, y: str = "") -> None:
    """Names of the axes: x below, y above the axis, where it takes no width."""
    axes.set_xlabel(x, color=MUTED, fontsize=11, labelpad=2)
    if y:
        axes.text(0, 1.0, y, transform=_above(axes), color=MUTED, fontsize=11, ha="left", va="bottom")


def _above(axes: Any) -> Any:
    from matplotlib.transforms import ScaledTranslation

    return axes.transAxes + ScaledTranslation(-24 / 72, 7 / 72, axes.figure.dpi_scale_trans)


def to_svg(figure: Any, titles: Mapping[str, str] | None = None) -> str:
    """The figure as an SVG element that is as wide as the page lets it be.

    titles: for what was drawn with such a gid, the text that a browser shows where the pointer rests on it.
    """
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = text.getvalue()
    head, _, body = svg[svg.index("<svg") :].partition(">")
    # Inside a page namespaces are known, and nothing refers to a version or needs a size.
    head = re.sub(r'\s(xmlns(:\w+)?|version|width|height)="[^"]*"', "", head)
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(r"<[^>]+>", _tidied, re.sub(r">\s+<", "><", body))  # in tags alone: texts are someone else's
    for gid, title in (titles or {}).items():
        body = body.replace(f'<g id="{gid}">', f'<g class="{gid.partition("-")[0]}"><title>{escape(title)}</title>', 1)
    return head.replace("<svg", '<svg aria-hidden="true"', 1) + ">" + body.strip()


def _tidied(match: re.Match[str]) -> str:
    """A tag with the page's colours and font, fewer digits, and no identifiers but those that are referred to."""
    tag = re.sub(r' (d|x|y|points|transform)="[^"]*"', _shorter, match.group()).replace("xlink:href", "href")
    tag = re.sub(r"'DejaVu Sans'[^;\"]*", "var(--font)", tag)
    tag = re.sub(r'^<g id="(?!other-)[^"]*"', "<g", tag)
    for colour, variable in _VARIABLES.items():
        tag = tag.replace(colour, variable)
    return tag


def _shorter(attribute: re.Match[str]) -> str:
    """Hundredths of a pixel are enough."""
    numbers = re.sub(r"-?\d+\.\d+", lambda n: f"{float(n.group()):.2f}".rstrip("0").rstrip("."), attribute.group())
    return re.sub(r"\s+", " ", numbers)
