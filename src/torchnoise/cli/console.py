"""Where commands print their tables."""

from __future__ import annotations

import sys

from rich.console import Console


def console() -> Console:
    """Standard output; wide enough for the tables where it is no terminal."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 120)
