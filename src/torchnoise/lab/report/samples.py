"""What noisy inputs look like: examples as they are, and as training sees them."""

from __future__ import annotations

from difflib import SequenceMatcher
from html import escape

from pydantic import JsonValue

from ..results import Noise, Results, Sample
from . import words
from .html import Cell, Column, details, named, note, table, two_lines
from .plots.pixels import as_array, side_for, to_png

MOST_IMAGES, MOST_TEXTS, MOST_FEATURES = 8, 4, 12


def samples(results: Results) -> str:
    """The winner's first."""
    shown = [(n, n.sample) for n in results.noises if n.sample is not None and n.sample.clean]
    if not shown:
        return ""
    shown.sort(key=lambda pair: pair[0].name != results.winner)
    kind = shown[0][1].kind
    if kind == "image":
        return note("The same examples without noise and with each noise at its chosen strength.") + _images(shown)
    make, text = (_features, _FEATURES) if kind == "table" else (_words, _TEXTS)
    first, *rest = [make(noise, sample) for noise, sample in shown]
    return note(text) + first + (details("The other noises", *rest) if rest else "")


_FEATURES = (
    "The first features of one training example without noise and with it, as the model gets them. What noise changed "
    "stands out."
)
_TEXTS = "The same texts without noise and with it. Marked: what noise put in; struck out: what it took away."


def _images(shown: list[tuple[Noise, Sample]]) -> str:
    """One row for each noise; the clean row once for all that share it."""
    kept = [(noise, sample, min(len(sample.clean), len(sample.noisy), MOST_IMAGES)) for noise, sample in shown]
    arrays = as_array(shown[0][1].clean[0])
    channels = arrays.shape[2] if arrays.ndim == 3 else 1
    side = side_for(2 * sum(count for _, _, count in kept), channels)
    rows, above = [], None
    for noise, sample, count in kept:
        if sample.clean[:count] != above:
            above = sample.clean[:count]
            rows.append(_image_row("clean", "", above, sample.names, side))
        rows.append(_image_row(noise.name, words.at_strength(noise), sample.noisy[:count], sample.names, side))
    return f'<div class="card scroll images" tabindex="0" role="region" aria-label="Examples">{"".join(rows)}</div>'


def _image_row(name: str, small: str, images: list[JsonValue], names: list[str], side: int) -> str:
    captions = [names[i] if i < len(names) else f"example {i + 1}" for i in range(len(images))]
    cells = "".join(
        f'<img src="{to_png(as_array(image), side)}" alt="{escape(f"{caption}, {name}")}" title="{escape(caption)}">'
        for image, caption in zip(images, captions, strict=True)
    )
    below = f"<small>{escape(small)}</small>" if small else ""
    return f'<div class="strip-of"><div><b>{named(name)}</b>{below}</div>{cells}</div>'


def _features(noise: Noise, sample: Sample) -> str:
    """One example, feature by feature: clean above noisy."""
    count = min(len(sample.names), len(sample.clean), len(sample.noisy), MOST_FEATURES)
    columns = [Column("", False), *(Column(name) for name in sample.names[:count])]
    changed = [
        Cell(escape(_shown(after)), "" if before == after else "changed")
        for before, after in zip(sample.clean[:count], sample.noisy[:count], strict=True)
    ]
    rows: list[list[str | Cell]] = [
        ["clean", *(_shown(value) for value in sample.clean[:count])],
        [two_lines(noise.name, words.at_strength(noise)), *changed],
    ]
    return table(f"An example with {noise.name}", columns, rows)


def _words(noise: Noise, sample: Sample) -> str:
    pairs = list(zip(sample.clean, sample.noisy, strict=False))[:MOST_TEXTS]
    lines = "".join(
        f"<p>{_marked([str(w) for w in _listed(clean)], [str(w) for w in _listed(noisy)])}</p>"
        for clean, noisy in pairs
    )
    title = f"<b>{escape(noise.name)}</b> <small>{escape(words.at_strength(noise))}</small>"
    return f'<div class="card texts">{title}{lines}</div>'


def _marked(before: list[str], after: list[str]) -> str:
    """Both texts in one, with what was taken away and what was put in."""
    pieces = []
    for what, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if what == "equal":
            pieces.append(escape(" ".join(before[a:b])))
            continue
        if b > a:
            pieces.append(f"<del>{escape(' '.join(before[a:b]))}</del>")
        if d > c:
            pieces.append(f"<ins>{escape(' '.join(after[c:d]))}</ins>")
    return " ".join(pieces)


def _listed(value: JsonValue) -> list[JsonValue]:
    if isinstance(value, str):
        return list(value.split())
    return value if isinstance(value, list) else [value]


def _shown(value: JsonValue) -> str:
    return f"{value:.2f}" if isinstance(value, float) else "" if value is None else str(value)
