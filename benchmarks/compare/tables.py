"""Tables of results.md, each between two markers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

RESULTS = Path(__file__).parent / "results.md"


def write_between(name: str, lines: Sequence[str]) -> None:
    """Put lines between the markers of this name."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    text = RESULTS.read_text()
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"{RESULTS} has no {begin} ... {end}")
    RESULTS.write_text(pattern.sub("\n".join([begin, *lines, end]).replace("\\", "\\\\"), text))
