"""report.html: what a comparison found, for people to look at.

page      the page, and the order of its sections
style     how it looks
html      pieces of HTML;  words: numbers and verdicts as people read them;  arms: who is drawn how;  key: the key to it
plots     pictures, each a function of values to SVG
All other modules are a section each: a function of Results to HTML, empty where there is nothing to show.
"""

from .page import render

__all__ = ["render"]
