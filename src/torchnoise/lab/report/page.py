"""report.html: one page that holds all it shows. A pure function of what was found and what a clock measured."""

from __future__ import annotations

import warnings
from html import escape

from ..against import Against
from ..results import Results, Timing
from .calibration import calibration
from .combinations import combinations
from .cost import cost
from .curves import curves
from .differences import differences
from .earlier import earlier
from .how import how
from .html import section
from .ladders import ladders
from .numbers import numbers
from .robustness import robustness
from .samples import samples
from .sharpness import sharpness
from .sites import sites
from .style import CSS
from .use import use
from .verdict import verdict

# A browser that reads this loads nothing from anywhere and runs nothing, whatever a name in the data looks like.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def render(results: Results, timing: Timing | None = None, against: Against | None = None) -> str:
    """The whole page. Sections that have nothing to show are left out."""
    with warnings.catch_warnings():
        # matplotlib measures texts in a font that may lack a letter; the page's own font draws them.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        parts = [(a, t, html) for a, t, html in _sections(results, timing, against) if html]
    links = "".join(f'<a href="#{anchor}">{escape(title)}</a>' for anchor, title, _ in parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f"<title>{escape(results.verdict.headline)}</title>\n<style>{CSS}</style>\n</head>\n<body>\n<main>\n"
        + verdict(results)
        + f'\n<nav aria-label="Contents">{links}</nav>\n'
        + "\n".join(section(anchor, title, html) for anchor, title, html in parts)
        + "\n</main>\n</body>\n</html>\n"
    )


def _sections(results: Results, timing: Timing | None, against: Against | None) -> list[tuple[str, str, str]]:
    """Anchor, title and HTML of each, in order."""
    classes = results.data.classes is not None
    return [
        ("earlier", "Against an earlier run", earlier(against, results)),
        ("differences", "What each noise did", differences(results)),
        ("strengths", "How strong", ladders(results)),
        ("curves", "Learning curves", curves(results)),
        ("robustness", "Robustness", robustness(results)),
        (
            "calibration",
            "Calibration and overfitting" if classes else "Likelihood and overfitting",
            calibration(results),
        ),
        ("sharpness", "Sharpness", sharpness(results)),
        ("combinations", "Combinations", combinations(results)),
        ("cost", "Cost against gain", cost(results, timing)),
        ("samples", "What noisy inputs look like", samples(results)),
        ("sites", "Signal and noise, place by place", sites(results)),
        ("use", "Use it", use(results)),
        ("numbers", "The numbers", numbers(results)),
        ("how", "How it was computed", how(results, timing)),
    ]
