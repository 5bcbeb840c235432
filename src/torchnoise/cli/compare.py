"""`torchnoise compare`: flags in, a table and a report out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..lab.against import Against, compare_results, load_results
from ..lab.budget import seconds_of
from ..lab.compare import compare
from ..lab.engines import ENGINES, Engine, engine
from ..lab.prepare import prepare
from ..lab.report import render
from ..lab.results import Results, Timing
from ..lab.settings import Settings, Source
from ..lab.store import write_text
from ..lab.watcher import Watcher
from . import say

# Wanted only at the end of a comparison: better missed before it.
WANTED_LATER = ("matplotlib", "rich", "scipy", "sklearn")


@dataclass(frozen=True)
class Wishes:
    """What the flags say."""

    source: Mapping[str, Any]
    how: Mapping[str, Any]
    noises: str | None
    strengths: tuple[str, ...]
    rounds: str
    budget: str | None
    out: Path
    against: Path | None
    device: str
    jobs: int | None
    engine: str


def settings_from(wishes: Wishes) -> Settings:
    """Settings from flags. Raises ValueError with one clear line."""
    noises = None
    if wishes.noises is not None:
        noises = tuple(name.strip() for name in wishes.noises.split(",") if name.strip())
    strengths = dict(_ladder(text) for text in wishes.strengths)
    how = {**wishes.how, "device": device_of(wishes.device), "rounds": _rounds(wishes.rounds)}
    return Settings(Source(**wishes.source), noises=noises, strengths=strengths, **how)


def _ladder(text: str) -> tuple[str, tuple[float, ...]]:
    """NAME=A,B,C, rising."""
    name, given, numbers = text.partition("=")
    try:
        found = tuple(sorted({float(number) for number in numbers.split(",")}))
    except ValueError:
        found = ()
    if not (name and given and found) or not all(0 < x < float("inf") for x in found):
        raise ValueError(f"--strengths {text}, allowed: NAME=A,B,C with numbers above 0, as in dropout=0.1,0.2")
    return name.strip(), found


def _rounds(text: str) -> tuple[int, ...]:
    """A,B,C as whole numbers."""
    try:
        return tuple(int(number) for number in text.split(","))
    except ValueError:
        raise ValueError(f"--rounds {text}, allowed: whole numbers, separated by commas, as in 2,2,4") from None


def device_of(text: str) -> str:
    """A device by what is typed for it. Raises ValueError for one that is not there."""
    import torch

    if text == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=text)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        first = str(error).strip().splitlines()[0]
        raise ValueError(f"--device {text}: {first}; allowed: auto, cpu, or a device that is there") from None
    return text


def engine_for(wishes: Wishes) -> Engine:
    """The engine; one process where there is one accelerator. Raises ValueError with one clear line."""
    if wishes.jobs is not None and wishes.jobs < 1:
        raise ValueError(f"--jobs is {wishes.jobs}, allowed: a whole number from 1")
    if wishes.engine not in ENGINES:
        raise ValueError(f"--engine {wishes.engine}, allowed: {', '.join(ENGINES)}")
    on_cpu = device_of(wishes.device) == "cpu"
    return engine(wishes.engine, wishes.jobs or (None if on_cpu else 1))


def run_compare(wishes: Wishes, quiet: bool, as_json: bool) -> int:
    """The command's work; returns the exit status."""
    for module in WANTED_LATER:
        if find_spec(module) is None:
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)
    try:
        settings = settings_from(wishes)
        budget = None if wishes.budget is None else seconds_of(wishes.budget)
        earlier = None if wishes.against is None else load_results(wishes.against)
        with engine_for(wishes) as workers:
            results, timing = _compare(settings, wishes.out, workers, budget, quiet or as_json)
    except KeyboardInterrupt:
        say(f"interrupted; finished runs are kept in {wishes.out}, and the same command goes on from there")
        return 130
    except (ValueError, LookupError) as error:
        say(str(error.args[0] if isinstance(error, KeyError) else error))
        return 2
    except OSError as error:
        say(f"--out {wishes.out}: {error.strerror or error}")
        return 2
    except RuntimeError as error:
        say(str(error))
        return 1
    _finish(results, timing, earlier, wishes.out, quiet, as_json)
    return 0


def _compare(
    settings: Settings, out: Path, workers: Engine, budget: float | None, quiet: bool
) -> tuple[Results, Timing]:
    if quiet:
        prepared = prepare(settings)
        for doubt in prepared.bench.data.doubts:
            say(doubt)
        return compare(settings, prepared, out, workers, Watcher(), budget)
    from .live import Live

    with Live() as live:
        return compare(settings, prepare(settings), out, workers, live, budget)


def _finish(results: Results, timing: Timing, earlier: Results | None, out: Path, quiet: bool, as_json: bool) -> None:
    """The report, and what is said of it."""
    change: Against | None = None if earlier is None else compare_results(earlier, results)
    write_text(out / "report.html", render(results, timing, change))
    if results.winner is not None:
        winner = next(noise for noise in results.noises if noise.name == results.winner)
        if winner.chosen is not None:
            write_text(out / "plan.yaml", winner.chosen.plan)
    if as_json:
        print(results.model_dump_json(indent=1))
        return
    if not quiet:
        from .outcome import show_results

        show_results(results, timing, change)
    print(out / "report.html")
