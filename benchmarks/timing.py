"""Timing contestants side by side: each round runs all of them, so that a slow moment of the machine hits all alike.

A ratio is the median over rounds of one contestant's time over another's in the same round. Absolute times are the
medians. Before each measurement everything has run a few times: compiling and first allocations are not timed.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

import torch

Contestants = dict[str, Callable[[], object]]


class Times(NamedTuple):
    """Seconds for one call, by contestant and round."""

    seconds: dict[str, list[float]]

    def median(self, name: str) -> float:
        """The median time of one call."""
        return median(self.seconds[name])

    def ratio(self, slow: str, fast: str) -> tuple[float, float, float]:
        """How many times longer `slow` takes than `fast`: the median over rounds, and its quartiles."""
        each = [a / b for a, b in zip(self.seconds[slow], self.seconds[fast], strict=True)]
        low, middle, high = quantiles(each, n=4)
        return middle, low, high


def race(contestants: Contestants, rounds: int = 15, least: float = 0.02, warm: int = 3) -> Times:
    """Time every contestant in every round, each for at least `least` seconds."""
    calls = {}
    for name, run in contestants.items():
        for _ in range(warm):
            run()
        begin = time.perf_counter()
        run()
        calls[name] = max(1, round(least / max(time.perf_counter() - begin, 1e-7)))
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            time.sleep(0.02)  # idle threads of the one before stop spinning
            run()
            begin = time.perf_counter()
            for _ in range(calls[name]):
                run()
            seconds[name].append((time.perf_counter() - begin) / calls[name])
    return Times(seconds)


def machine() -> str:
    """The processor in a line, without names."""
    found: dict[str, str] = {}
    info = Path("/proc/cpuinfo")
    for line in info.read_text().splitlines() if info.exists() else []:
        key, _, value = line.partition(":")
        found.setdefault(key.strip(), value.strip())
    flags = found.get("flags", "").split()
    width = "AVX512" if "avx512f" in flags else "AVX2" if "avx2" in flags else "no AVX2"
    kind = f"{found.get('vendor_id', platform.machine())} family {found.get('cpu family', '?')}"
    versions = f"torch {torch.__version__}, Python {platform.python_version()}"
    return f"{kind}, {width}, {torch.get_num_threads()} threads, {versions}"


class Row(NamedTuple):
    """One line of results. reach, aim: the least and the wished for, if any. more: what else to say."""

    what: str
    ratio: tuple[float, float, float]
    reach: float | None = None
    aim: float | None = None
    larger_is_better: bool = True
    more: str = ""

    def verdict(self) -> str:
        """How the ratio stands to its goals."""
        sign = 1 if self.larger_is_better else -1
        for goal, word in ((self.aim, "aim"), (self.reach, "reached")):
            if goal is not None and sign * self.ratio[0] >= sign * goal:
                return word
        return "" if self.reach is None else "missed"


def table(rows: list[Row]) -> str:
    """Results as a table in Markdown."""
    lines = ["| | ratio (quartiles) | reach | aim | | |", "|---|---|---|---|---|---|"]
    for r in rows:
        middle, low, high = (f"{v:.3g}" for v in r.ratio)
        goals = [f"{g:g}" if g is not None else "" for g in (r.reach, r.aim)]
        lines.append(f"| {r.what} | **{middle}** ({low}-{high}) | {goals[0]} | {goals[1]} | {r.verdict()} | {r.more} |")
    return "\n".join(lines)
