"""Kill `torchnoise compare` at random moments, start it again, and compare results.json with one that never stopped.

    python benchmarks/compare/kills.py [--write]

SIGKILL ten times, each a random number of finished pieces of work after a start: in the search, the finalists, the
measures.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tables import write_between

KILLS = 10
MAIN = "import sys; from torchnoise.cli import main; sys.exit(main())"
FLAGS = ("compare", "--noises", "gaussian_input,dropout,weight", "--seeds", "3", "--epochs", "12", "--quiet")
STAGES = ("nothing yet", "the search", "the finalists", "the measures", "all of it")


def command(out: Path) -> list[str]:
    return [sys.executable, "-c", MAIN, *FLAGS, "--out", str(out)]


def stage(out: Path) -> str:
    """How far a folder has got: what of it is there."""
    runs, measured = out / "runs.jsonl", out / "measured.jsonl"
    found = 0
    if runs.exists():
        found = 2 if '"final"' in runs.read_text(errors="replace") else 1
    if measured.exists():
        found = 3
    return STAGES[4 if (out / "results.json").exists() else found]


def finished(out: Path) -> int:
    """Lines of finished runs and measures."""
    files = (out / "runs.jsonl", out / "measured.jsonl")
    return sum(len(file.read_bytes().splitlines()) for file in files if file.exists())


def kills(out: Path, total: int, draw: random.Random) -> list[str]:
    """Rows of the table. Each kill comes some random number of new lines after a start, so that all of them together
    go through the whole."""
    rows: list[str] = []
    while len(rows) < KILLS:
        target = finished(out) + draw.randint(0, 2 * total // KILLS)
        running = subprocess.Popen(command(out), stdout=subprocess.DEVNULL)
        while running.poll() is None and finished(out) < target:
            time.sleep(0.002)
        time.sleep(draw.uniform(0.0, 0.05))
        running.send_signal(signal.SIGKILL)
        was = stage(out) if running.wait() == -signal.SIGKILL else "done before it"
        rows.append(f"| {len(rows) + 1} | {was} | {finished(out)} of {total} |")
        print(rows[-1], flush=True)
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="into results.md beside this file")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        whole, killed = Path(folder) / "whole", Path(folder) / "killed"
        subprocess.run(command(whole), check=True, stdout=subprocess.DEVNULL)
        rows = kills(killed, finished(whole), random.Random(given.seed))
        subprocess.run(command(killed), check=True, stdout=subprocess.DEVNULL)
        equal = (whole / "results.json").read_bytes() == (killed / "results.json").read_bytes()
    said = "equal, byte for byte" if equal else "DIFFERENT"
    table = [
        "| kill | after its first new line | it was in | lines kept |",
        "|---|---|---|---|",
        *rows,
        "",
        f"results.json: {said}.",
    ]
    print(said)
    if given.write:
        write_between("kills", table)
    if not equal:
        sys.exit(1)


if __name__ == "__main__":
    main()
