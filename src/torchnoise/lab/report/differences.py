"""The forest plot: what each noise did on the test set, against clean training."""

from __future__ import annotations

from html import escape

from ..results import Difference, Noise, Results
from . import words
from .html import image, marks, named, note
from .plots.forest import strip, ticks
from .plots.scale import Limits, without_outliers


def differences(results: Results) -> str:
    """Rows of name, picture and numbers, the largest difference first."""
    tested = [(n, n.difference) for n in results.noises if n.difference is not None]
    tested.sort(key=lambda pair: -pair[1].mean)
    failed = [f"{n.name} ({words.untested(n)})" for n in results.noises if n.difference is None]
    told = f"Not tested: {words.listed(failed)}." if failed else ""
    if not tested:
        return note(told)
    limits = without_outliers([reach(d) for _, d in tested])
    many = len(tested) > 1
    return "\n".join(
        [
            note(
                f"The change of test {words.metric(results)} against clean training, on fresh seeds."
                + (_FAMILY if many else "")
            ),
            marks(
                ("●", f"helps: mean and {words.coverage(results)} interval", "better"),
                ("■", "hurts", "worse"),
                ("○", "no difference seen", "neutral"),
                ("•", "small dots: each seed's own change", "neutral"),
            ),
            '<div class="forest card">',
            row("", '<div class="ends"><span>&larr; worse</span><span>better &rarr;</span></div>', "", "head"),
            *(_noise_row(n, d, limits, n.name == results.winner) for n, d in tested),
            row("", scale(limits), "", "scale"),
            "</div>",
            note(told) if told else "",
        ]
    )


_FAMILY = " The winner is one test; the others are several, and their p-values and intervals are corrected for that."


def reach(difference: Difference) -> tuple[float, float]:
    """What a row has to show, its seeds' dots as well."""
    return min(difference.low, *difference.by_seed), max(difference.high, *difference.by_seed)


def scale(limits: Limits) -> str:
    """The axis below the strips, in HTML, so that its numbers are as large as others at any width."""
    numbers = "".join(f'<span style="left: {100 * place:.2f}%">{tick:g}</span>' for tick, place in ticks(limits))
    return f'<div class="axis" aria-hidden="true">{numbers}</div><div class="unit">points</div>'


def row(who: str, picture: str, what: str, look: str = "") -> str:
    """A row of a forest plot; all three are HTML."""
    return (
        f'<div class="row {look}"><div class="who">{who}</div><div class="strip">{picture}</div>'
        f'<div class="what">{what}</div></div>'
    )


def _noise_row(noise: Noise, difference: Difference, limits: Limits, winner: bool) -> str:
    tag = ' <span class="tag">winner</span>' if winner else ""
    who = f"<b>{named(noise.name)}</b>{tag}<small>{escape(words.at_strength(noise))}</small>"
    p = (
        f"p-value {words.probability(difference.p)}"
        if winner
        else f"corrected p-value {words.probability(difference.p_adjusted)}"
    )
    picture = image(strip(difference, noise.verdict, limits, noise.name), spoken(noise.name, difference, noise.verdict))
    return row(who, picture, found(difference, noise.verdict, p), "marked" if winner else "")


def found(difference: Difference, verdict: str, more: str = "") -> str:
    """A difference in numbers and a word, as HTML."""
    colour, mark = words.look(verdict)
    below = f"<small>{escape(more)}</small>" if more else ""
    return (
        f'<b class="{colour}">{escape(words.points(difference.mean))}</b> '
        f"<span>{escape(words.interval(difference))}</span>"
        f'<small class="{colour}"><i>{mark}</i> {escape(verdict)}</small>{below}'
    )


def spoken(name: str, difference: Difference, verdict: str) -> str:
    seeds = ", ".join(words.points(d) for d in difference.by_seed)
    return (
        f"{name}: {words.points(difference.mean)} points, interval {words.interval(difference)}, {verdict}; "
        f"by seed {seeds}"
    )
