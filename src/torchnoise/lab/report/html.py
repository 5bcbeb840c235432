"""Pieces of HTML. Arguments called `html` are HTML already; all others are text, and escaped here."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple


class Column(NamedTuple):
    """A table's column. number: set flush right."""

    name: str
    number: bool = True


class Cell(NamedTuple):
    """A cell that holds HTML, has a style of its own, or both."""

    html: str
    look: str = ""  # CSS classes


def section(anchor: str, title: str, *html: str) -> str:
    """A part of the page with a heading that can be linked to."""
    return f'<section id="{escape(anchor)}">\n<h2>{escape(title)}</h2>\n' + "\n".join(html) + "\n</section>"


def note(text: str) -> str:
    return f'<p class="note">{escape(text)}</p>'


def figure(title: str, picture: str, spoken: str, small: str = "") -> str:
    """A card with a picture. spoken: what it shows, with the numbers, for those who do not see it."""
    below = f"<small>{escape(small)}</small>" if small else ""
    return f'<figure class="card"><figcaption>{escape(title)}{below}</figcaption>{image(picture, spoken)}</figure>'


def image(html: str, spoken: str) -> str:
    return f'<div role="img" aria-label="{escape(spoken)}">{html}</div>'


def named(name: str) -> str:
    """A name that may break after its underscores."""
    return escape(name).replace("_", "_<wbr>")


def marks(*items: tuple[str, str, str]) -> str:
    """A key to a picture's marks: each a sign, what it stands for, and its colour."""
    spans = (f'<span><i class="{colour}">{escape(sign)}</i>{escape(text)}</span>' for sign, text, colour in items)
    return f'<p class="key">{"".join(spans)}</p>'


def grid(html: Sequence[str], look: str = "small") -> str:
    """Cards side by side, as many as fit."""
    return f'<div class="grid {look}">\n' + "\n".join(html) + "\n</div>"


def details(summary: str, *html: str, shown: bool = False) -> str:
    """Something for those who want to know more; it is open in print."""
    return (
        f"<details{' open' if shown else ''}><summary>{escape(summary)}</summary>\n" + "\n".join(html) + "\n</details>"
    )


def table(
    label: str, columns: Sequence[Column], rows: Sequence[Sequence[str | Cell]], marked: int | None = None
) -> str:
    """A table in a box of its own that scrolls sideways. marked: the row that stands out."""
    head = "".join(f'<th scope="col"{_look(c.number, "")}>{escape(c.name)}</th>' for c in columns)
    body = "".join(_row(columns, row, number == marked) for number, row in enumerate(rows))
    return (
        f'<div class="card scroll" tabindex="0" role="region" aria-label="{escape(label)}"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _row(columns: Sequence[Column], row: Sequence[str | Cell], marked: bool) -> str:
    cells = []
    for i, (column, one) in enumerate(zip(columns, row, strict=True)):
        cell = one if isinstance(one, Cell) else Cell(named(one) if i == 0 else escape(one))
        tag = 'th scope="row"' if i == 0 else "td"
        cells.append(f"<{tag}{_look(column.number, cell.look)}>{cell.html}</{tag[:2]}>")
    return f"<tr{' class=marked' if marked else ''}>{''.join(cells)}</tr>"


def _look(number: bool, more: str) -> str:
    names = " ".join(n for n in ("number" if number else "", more) if n)
    return f' class="{names}"' if names else ""


def two_lines(first: str, second: str) -> Cell:
    """A cell with a smaller second line."""
    return Cell(f"{named(first)}<small>{escape(second)}</small>")


def facts(items: Sequence[tuple[str, str]]) -> str:
    """Names and what they are, as a list."""
    return "<dl>" + "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in items) + "</dl>"


def bullets(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def code(label: str, text: str) -> str:
    return f'<pre tabindex="0" role="region" aria-label="{escape(label)}"><code>{escape(text)}</code></pre>'
