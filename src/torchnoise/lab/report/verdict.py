"""The verdict: what was found, how sure it is, and what to bear in mind."""

from __future__ import annotations

from html import escape

from ..results import Noise, Results
from . import words
from .arms import winner_of
from .html import bullets


def verdict(results: Results) -> str:
    """The top of the page."""
    found = results.verdict
    lines = [
        f'<p class="kicker">torchnoise compare &middot; {escape(_short(results.data.name))} &middot; '
        f"{escape(_short(results.model.name))}</p>",
        f"<h1>{escape(found.headline)}</h1>",
        f'<p class="lead">{escape(found.sentence)}</p>',
        _callout("Bear in mind", found.caveats),
        _tiles(results, winner_of(results)),
        _callout("How the data were read: please check", results.data.doubts, "doubt"),
    ]
    return "<header>\n" + "\n".join(line for line in lines if line) + "\n</header>"


def _callout(title: str, lines: list[str], look: str = "") -> str:
    if not lines:
        return ""
    return f'<div class="callout {look}"><b>{escape(title)}</b>{bullets(lines)}</div>'


def _tiles(results: Results, winner: Noise | None) -> str:
    if winner is None or winner.difference is None or winner.arm is None:
        return ""
    found, metric, clean = winner.difference, words.metric(results), results.clean.arm
    colour, mark = words.look(winner.verdict)
    tiles = [
        _tile(
            f"change of test {metric}, points",
            f'<span class="{colour}">{escape(words.points(found.mean))} <i>{mark}</i></span>',
            f"{words.coverage(results)} interval {words.interval(found)}",
        ),
        _tile(
            f"test {metric} with {winner.name}",
            escape(words.score(winner.arm.test_mean, results)),
            f"clean {words.score(clean.test_mean, results)}",
        ),
    ]
    if winner.arm.rmse is not None and clean.rmse is not None:
        unit = "root mean squared error"
        tiles.append(_tile(unit, escape(words.plain(winner.arm.rmse)), f"clean {words.plain(clean.rmse)}"))
    tiles += [
        _tile("p-value", escape(words.probability(found.p)), "how often chance alone differs as much"),
        _tile(
            "smallest change this could see",
            f"{escape(words.points(found.detectable).lstrip('+'))} <small>points</small>",
            "a true change so large is found four times in five",
        ),
    ]
    return '<div class="tiles">\n' + "\n".join(tiles) + "\n</div>"


def _tile(label: str, html: str, note: str) -> str:
    return f'<div class="card"><span>{escape(label)}</span><b>{html}</b><span>{escape(note)}</span></div>'


def _short(name: str) -> str:
    """The last part of a path; other names as they are."""
    return name.rstrip("/\\").replace("\\", "/").rsplit("/", 1)[-1] or name
