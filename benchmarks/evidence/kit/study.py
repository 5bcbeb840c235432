"""The command around every script here: parts are measured one by one, kept, and made into a page.

Each finished part goes into results/NAME.json, so that a long study may be run in pieces (`--only`) and its page be
written again without measuring (`--redraw`). With all parts there, tables go between the page's markers.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure

from .picture import png

HERE = Path(__file__).parent.parent
RESULTS, DOCS = HERE / "results", HERE.parent.parent / "docs"


@dataclass(frozen=True)
class Where:
    """data: the folder given by --data, if any;  quick: tiny sizes on shipped data, which show only that it runs."""

    data: Path | None = None
    quick: bool = False


@dataclass(frozen=True)
class Study:
    """parts: what is measured, by name: numbers, texts, lists and dictionaries of them.  tables: the page's texts by
    marker, of all parts;  draw: its picture.  needs_data: whether --data must be given."""

    name: str
    parts: Mapping[str, Callable[[Where], Any]]
    tables: Callable[[Mapping[str, Any]], Mapping[str, str]]
    draw: Callable[[Mapping[str, Any]], Figure]
    needs_data: bool = True

    def run(self, doc: str, argv: Sequence[str] | None = None) -> Mapping[str, Any]:
        """What the command line asks for; all parts that are known in the end."""
        asked = self._options(doc, argv)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # so that numbers do not depend on the machine's cores
        try:
            found = self._measure(asked)
        finally:
            torch.set_num_threads(threads)
        if missing := [name for name in self.parts if name not in found]:
            print(f"still to be measured, before a page can be made: {', '.join(missing)}")
        else:
            self._present(found, keep=asked.write or asked.redraw)
        return found

    def _measure(self, asked: argparse.Namespace) -> dict[str, Any]:
        """The kept parts, and those that are asked for, measured."""
        file = RESULTS / f"{self.name}.json"
        found = json.loads(file.read_text()) if file.exists() and not asked.quick else {}
        for name, measure in self.parts.items():
            if asked.redraw or (asked.only and name not in asked.only):
                continue
            began = time.perf_counter()
            found[name] = json.loads(json.dumps(measure(Where(asked.data, asked.quick))))
            print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)
            if asked.write:
                RESULTS.mkdir(exist_ok=True)
                file.write_text(json.dumps(found, separators=(",", ":")) + "\n")
        return found

    def _present(self, found: Mapping[str, Any], keep: bool) -> None:
        """Print the page's texts; keep: put them and the picture into the documentation."""
        texts, drawn = self.tables(found), png(self.draw(found))
        for marker, text in texts.items():
            print(f"\n[{marker}]\n{text}")
        if keep:
            (DOCS / "images" / "evidence" / f"{self.name}.png").write_bytes(drawn)
            page = DOCS / "evidence" / f"{self.name}.md"
            page.write_text(filled(page.read_text(encoding="utf-8"), texts), encoding="utf-8")

    def _options(self, doc: str, argv: Sequence[str] | None) -> argparse.Namespace:
        parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
        if self.needs_data:
            parser.add_argument("--data", type=Path, metavar="FOLDER", help="where the data lie")
        else:
            parser.set_defaults(data=None)
        parser.add_argument("--quick", action="store_true", help="seconds, tiny, on data that scikit-learn ships")
        parser.add_argument("--only", action="append", choices=list(self.parts), metavar="PART", help="may be repeated")
        parser.add_argument("--write", action="store_true", help="keep the numbers, and put them into the page")
        parser.add_argument("--redraw", action="store_true", help="make the page of the kept numbers again")
        asked = parser.parse_args(argv)
        if asked.quick and (asked.write or asked.redraw):
            parser.error("--quick measures nothing worth writing down; allowed: --quick alone")
        if self.needs_data and asked.data is None and not (asked.quick or asked.redraw):
            parser.error("--data FOLDER is missing (or --quick, or --redraw)")
        return asked


def filled(page: str, texts: Mapping[str, str]) -> str:
    """A page with the texts between its markers `<!-- begin: NAME -->` and `<!-- end: NAME -->`.

    >>> filled("<!-- begin: a -->old<!-- end: a -->", {"a": "new"})
    '<!-- begin: a -->\\nnew\\n<!-- end: a -->'
    """
    for name, text in texts.items():
        begin, end = f"<!-- begin: {name} -->", f"<!-- end: {name} -->"
        if page.count(begin) != 1 or page.count(end) != 1:
            raise ValueError(f"the page needs {begin} and {end}, once each")
        between = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        before, after = between.split(page)
        page = f"{before}{begin}\n{text}\n{end}{after}"
    return page


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
