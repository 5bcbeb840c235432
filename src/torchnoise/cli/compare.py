"""`torchnoise compare`: flags in, a table and a report out."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from ..lab.compare import Watcher, compare
from ..lab.noises import CANDIDATES
from ..lab.settings import Settings, Training
from . import say

# Wanted only at the end of a comparison: better missed before it.
WANTED_LATER = ("matplotlib", "rich", "scipy", "sklearn")


def settings_from(noises: str | None, seeds: int, epochs: int | None, seed: int) -> Settings:
    """Settings from flags. Raises ValueError with one clear line."""
    names = tuple(CANDIDATES) if noises is None else tuple(n.strip() for n in noises.split(",") if n.strip())
    training = Training() if epochs is None else Training(epochs=epochs)
    return Settings(names, seeds, seed, training)


def run_compare(
    noises: str | None, seeds: int, epochs: int | None, seed: int, out: Path, jobs: int | None, quiet: bool
) -> int:
    """The command's work; returns the exit status."""
    try:
        settings = settings_from(noises, seeds, epochs, seed)
        if jobs is not None and jobs < 1:
            raise ValueError(f"--jobs is {jobs}, allowed: a whole number from 1")
    except ValueError as error:
        say(str(error))
        return 2
    for module in WANTED_LATER:
        if find_spec(module) is None:
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)
    try:
        _compare_and_show(settings, out, jobs, quiet)
    except KeyboardInterrupt:
        say(f"interrupted; finished runs are kept in {out}, and the same command goes on from there")
        return 130
    except OSError as error:
        say(f"--out {out}: {error.strerror or error}")
        return 2
    except RuntimeError as error:
        say(str(error))
        return 1
    print(out / "report.html")
    return 0


def _compare_and_show(settings: Settings, out: Path, jobs: int | None, quiet: bool) -> None:
    if quiet:
        compare(settings, out, Watcher(), jobs)
        return
    from .live import Live, show_results

    with Live(settings) as live:
        results = compare(settings, out, live, jobs)
    show_results(results)
