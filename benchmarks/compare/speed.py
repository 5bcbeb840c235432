"""How much faster both cores are than one: the same runs by one process, and by two.

    python benchmarks/compare/speed.py [--write]

A search's worth of runs of the digits model, clean and noisy, on engines that stand ready, so that it is the training
that is timed and not the start of processes; engines take turns, and the median of their ratios counts.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from statistics import median

from tables import write_between

from torchnoise.lab.engines import LocalEngine, cores
from torchnoise.lab.jobs import TrainJob, train_job
from torchnoise.lab.prepare import prepare
from torchnoise.lab.settings import SEARCH, Run, Settings
from torchnoise.lab.treatments import Treatment

RUNS, TURNS = 24, 5


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="into results.md beside this file")
    given = parser.parse_args(arguments)
    prepared = prepare(Settings())
    noise = prepared.entrants.noises["gaussian_input"].treat(0.1)
    treatments = (Treatment(), noise)
    jobs = [TrainJob(Run((), SEARCH, seed), str(seed), treatments[seed % 2], False) for seed in range(RUNS)]
    processes = cores()
    with LocalEngine(1) as one, LocalEngine(processes) as all_of_them:
        seconds: dict[int, list[float]] = {1: [], processes: []}
        for engine in (one, all_of_them):
            engine.give("bench", prepared.bench)
            list(engine.map(train_job, "bench", jobs[: 2 * processes]))  # warms up
        for _ in range(TURNS):
            for engine, count in ((one, 1), (all_of_them, processes)):
                began = time.perf_counter()
                list(engine.map(train_job, "bench", jobs))
                seconds[count].append(time.perf_counter() - began)
    ratios = [a / b for a, b in zip(seconds[1], seconds[processes], strict=True)]
    each = 1000 * median(seconds[1]) / RUNS
    lines = [
        "| processes | runs a second, over one process | in five turns |",
        "|---|---|---|",
        f"| {processes} | {median(ratios):.2f} | {', '.join(f'{r:.2f}' for r in sorted(ratios))} |",
        "",
        f"One run of the digits model took {each:.0f} ms.",
    ]
    print("\n".join(lines))
    if given.write:
        write_between("speed", lines)


if __name__ == "__main__":
    main()
