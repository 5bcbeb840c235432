"""report.html: one page that holds all it shows. A pure function of what results.json holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from .plots import forest, ladder, ladder_limits, verdict_colour
from .results import FOOTNOTES
from .style import CSS

Results = Mapping[str, Any]


def render(results: Results) -> str:
    """The whole page."""
    winner = next((n for n in results["noises"] if n["name"] == results["winner"]), None)
    parts = [
        _head(results, winner),
        _pictures(results),
        _table(results),
        _code(results, winner),
        _how(results),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title(results, winner))}</title>\n<style>{CSS}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(parts)
        + "\n</main>\n</body>\n</html>\n"
    )


def title(results: Results, winner: Results | None) -> str:
    """The verdict as a headline."""
    if winner is None:
        return "Every noise diverged"
    word = {"helps": "helps here", "hurts": "hurts here"}.get(winner["verdict"], "makes no difference that can be seen")
    return f"{_readable(winner['name'])} noise {word}"


def _readable(name: str) -> str:
    return {"dropout": "Dropout"}.get(name, name.replace("_", " ").capitalize())


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _head(results: Results, winner: Results | None) -> str:
    verdict = results["verdict"]
    headline = title(results, winner).replace("Dropout noise", "Dropout")
    lines = [
        f'<p class="kicker">torchnoise compare &middot; {escape(results["settings"]["data"])}</p>',
        f"<h1>{escape(headline)}</h1>",
        f"<p>{escape(verdict['sentence'])} {escape(verdict['caveat'])}</p>",
    ]
    if winner is not None:
        low, high = winner["interval"]
        lines.append('<div class="tiles">')
        lines += [
            _tile("test difference, points", f"{winner['difference']:+.2f}", verdict_colour(winner["verdict"])),
            _tile("95 % interval", f"{low:+.2f} to {high:+.2f}"),
            _tile(
                "test accuracy",
                _percent(winner["test_mean"]),
                note=f"clean {_percent(results['clean']['test_mean'])}",
            ),
            _tile(
                "validation accuracy",
                _percent(winner["validation_mean"]),
                note=f"clean {_percent(results['clean']['validation_mean'])}",
            ),
        ]
        lines.append("</div>")
    return "\n".join(lines)


def _tile(label: str, value: str, colour: str = "inherit", note: str = "") -> str:
    below = f"<span>{escape(note)}</span>" if note else ""
    return f'<div class="card"><span>{escape(label)}</span><b style="color: {colour}">{escape(value)}</b>{below}</div>'


def _pictures(results: Results) -> str:
    noises, clean = results["noises"], results["clean"]
    limits = ladder_limits(noises, clean["validation"])
    ladders = "\n".join(
        _figure(
            ladder(noise, clean["validation_mean"], limits),
            escape(noise["name"]),
            f"{noise['name']}: mean validation accuracy "
            + ", ".join(
                f"{_percent(r['validation_mean'])} at {noise['unit']} {r['strength']:g}" for r in noise["ladder"]
            )
            + f"; clean {_percent(clean['validation_mean'])}",
        )
        for noise in noises
    )
    tested = [n for n in noises if n["chosen"]]
    told = "; ".join(f"{n['name']} {n['difference']:+.2f} ({n['verdict']})" for n in tested)
    caption = (
        "Each noise against clean training, on the test set"
        "<small>Small dots: each seed&rsquo;s own difference. Large mark and bar: their mean and its 95&nbsp;% "
        "interval; filled where the interval excludes zero.</small>"
    )
    ends = '<div class="ends"><span>&larr; worse</span><span>better &rarr;</span></div>'
    return (
        "<h2>What each noise did</h2>\n"
        '<p class="note">The small pictures show how each strength did on validation data, in percent. Dots are seeds, '
        "diamonds their means, the filled diamond the chosen strength, the dashed line clean training.</p>\n"
        f'<div class="pictures">\n{_figure(ends + forest(noises), caption, "Paired test differences: " + told)}\n'
        f'<div class="ladders">\n{ladders}\n</div>\n</div>'
    )


def _figure(picture: str, caption: str, spoken: str) -> str:
    """caption is HTML; spoken is text, for those who do not see the picture."""
    return (
        f'<figure class="card"><figcaption>{caption}</figcaption>'
        f'<div role="img" aria-label="{escape(spoken)}">{picture}</div></figure>'
    )


def _table(results: Results) -> str:
    names = [
        "noise",
        "strength",
        "validation",
        "test",
        "difference, points",
        "95 % interval",
        "step cost",
        "verdict",
    ]
    numbers = {2, 3, 4, 5, 6}
    head = "".join(f"<th{_number(i in numbers)}>{escape(n)}</th>" for i, n in enumerate(names))
    rows = [_row(n, numbers, n["name"] == results["winner"]) for n in results["noises"]]
    clean = results["clean"]
    cells = (
        "clean",
        "",
        _percent(clean["validation_mean"]),
        _percent(clean["test_mean"]),
        "",
        "",
        "1.0 x",
        "",
    )
    rows.append(_cells(cells, numbers))
    notes = "".join(f"<li>{escape(note)}</li>" for note in FOOTNOTES)
    return (
        f'<h2>The numbers</h2>\n<div class="card scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>\n<ul>{notes}</ul>"
    )


def _number(yes: bool) -> str:
    return ' class="number"' if yes else ""


def _cells(cells: Sequence[str], numbers: set[int], winner: bool = False, raw: Sequence[str] = ()) -> str:
    done = [*raw, *(escape(c) for c in cells[len(raw) :])]
    columns = "".join(f"<td{_number(i in numbers)}>{c}</td>" for i, c in enumerate(done))
    return f"<tr{' class=winner' if winner else ''}>{columns}</tr>"


def _row(noise: Results, numbers: set[int], winner: bool) -> str:
    name = f"{escape(noise['name'])}<small>{escape(noise['description'])}</small>"
    if not noise["chosen"]:
        return _cells((name, "diverged at every strength", "", "", "", "", "", noise["verdict"]), numbers, raw=(name,))
    low, high = noise["interval"]
    cells = (
        name,
        f"{noise['unit']} {noise['chosen']['strength']:g}",
        _percent(noise["validation_mean"]),
        _percent(noise["test_mean"]),
        f"{noise['difference']:+.2f}",
        f"{low:+.2f} to {high:+.2f}",
        f"{noise['relative_cost']:.1f} x",
    )
    word = f'<span class="word" style="color: {verdict_colour(noise["verdict"])}">{escape(noise["verdict"])}</span>'
    return _cells(cells, numbers, winner, raw=(name, *(escape(c) for c in cells[1:]), word))


def _code(results: Results, winner: Results | None) -> str:
    if winner is None:
        return ""
    better = winner["validation_mean"] > results["clean"]["validation_mean"]
    note = (
        ""
        if better
        else '<p class="note">Clean training did as well or better on validation; this is the best noise.</p>'
    )
    code = escape("\n".join(winner["chosen"]["code"]))
    return (
        f"<h2>Use it</h2>\n{note}<p>Four lines in a training script. Noise is active while the model trains, and "
        f"silent in eval mode.</p>\n<pre><code>{code}</code></pre>"
    )


def _how(results: Results) -> str:
    settings, split = results["settings"], results["split"]
    facts = {
        "data": f"{settings['data']}: {split['train']} training, {split['validation']} validation, "
        f"{split['test']} test examples, stratified by class",
        "model": settings["model"],
        "training": f"{settings['epochs']} epochs of SGD, batches of {settings['batch_size']}, learning rate "
        f"{settings['learning_rate']:g} falling to 0 along a half cosine, momentum {settings['momentum']:g}",
        "overfitting": f"clean training reaches {_percent(results['clean']['train_mean'])} on the training data, "
        f"{_percent(results['clean']['validation_mean'])} on validation",
        "seeds": f"{settings['seeds']} paired seeds, master seed {settings['seed']}",
        "strengths": "; ".join(
            f"{n['name']} ({n['unit']}) " + ", ".join(f"{r['strength']:g}" for r in n["ladder"])
            for n in results["noises"]
        ),
        "interval": f"Student's t, {settings['seeds'] - 1} degrees of freedom, of the paired differences",
        "versions": ", ".join(f"{name} {number}" for name, number in results["versions"].items()),
    }
    items = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts.items())
    return f"<h2>How it was computed</h2>\n<dl>{items}</dl>"
