"""All of the CPU's figures in one command: python benchmarks/run.py [--only elementwise|steps] [--write]

Prints a table; --write puts it into benchmarks/results.md. Needs `pip install -e '.[dev]'`, and jax for one line.
Close everything else: on two cores, a browser is a third contestant.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import elementwise
import memory
import steps
from timing import Row, machine, table

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("elementwise", "steps"))
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args()
    found: list[Row] = []
    for module in (elementwise, steps):
        if chosen.only in (None, module.__name__):
            for row in module.rows():
                print(table([row]).splitlines()[-1], flush=True)
                found.append(row)
    text = "\n".join(
        [
            "# What noise costs on a CPU",
            "",
            f"`python benchmarks/run.py --write` wrote this, on: {machine()}.",
            "",
            "A ratio is the median over rounds in which all contestants ran one after the other, with its quartiles.",
            "In a round each is called until 20 ms (at 16 M elements 50 ms) have gone by; whole training steps once.",
            "*reach* is what has to be held, *aim* what is wished for. Noise is gaussian unless said.",
            "",
            table(found),
            "",
            *memory.lines(),
            "",
        ]
    )
    if chosen.write:
        (HERE / "results.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
