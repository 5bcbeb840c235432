"""The command `torchnoise`. This file imports nothing heavy; commands do, once they know what to do."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status: 0 done, 1 failed, 2 asked for wrongly, 130 interrupted."""
    try:
        from .app import run

        return run(arguments)
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] == "torchnoise":
            raise
        say(f'{missing.name} is not installed; pip install "torchnoise[lab]"')
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return 130


def say(line: str) -> None:
    """One line on standard error."""
    print(f"torchnoise: {line}", file=sys.stderr)
