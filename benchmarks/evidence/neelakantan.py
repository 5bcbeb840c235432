"""Gradient noise in very deep networks, table 1 of arXiv:1511.06807 at a smaller size:

    python benchmarks/evidence/neelakantan.py --data FOLDER --write

Trains 20 hidden layers of 50 rectified units on MNIST's 10,000 test digits by plain gradient descent, from poor and
good initialisations, with and without annealed noise on gradients: 20 seeds of each, paired. Some three quarters of
an hour on one core; `--only PART` does one part.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from kit.data import Split, digits, mnist, split
from kit.deep import INITS, Deep, Keys, Stack
from kit.interval import paired, share, t_interval
from kit.picture import BLUE, RED, axes, figure, label, write
from kit.study import Study, Where, table
from matplotlib.figure import Figure

import torchnoise as tn

ETA, GAMMA = 0.01, 0.55
RATES = (0.1, 0.01)


class Setting(NamedTuple):
    """One experiment. paper: its best and average accuracy over both rates, without noise and with it; None: not in
    its table."""

    title: str
    init: str
    clip: float | None
    paper: tuple[tuple[float, float], tuple[float, float]] | None
    layers: int = 20
    longer: int = 1  # times the steps at the high rate


SETTINGS = {
    "simple": Setting("simple, not clipped", "simple", None, ((89.9, 43.1), (96.7, 52.7))),
    "clip 100": Setting("simple, clipped at 100", "simple", 100.0, ((90.0, 46.3), (96.7, 52.3))),
    "clip 10": Setting("simple, clipped at 10", "simple", 10.0, ((95.7, 51.6), (97.0, 53.6))),
    "He": Setting("He's, clipped at 10", "He", 10.0, ((97.4, 91.7), (97.2, 91.7))),
    "zero": Setting("zero, clipped at 10", "zero", 10.0, ((11.4, 10.1), (94.5, 49.7)), longer=3),
    "5 layers": Setting("5 layers, simple, not clipped", "simple", None, None, layers=5),
}


class Size(NamedTuple):
    seeds: int
    steps: int
    batch: int
    width: int
    looks: int  # at the test set, for the picture


FULL, QUICK = Size(20, 15_000, 32, 50, 15), Size(3, 40, 20, 20, 2)


def data(where: Where) -> Split:
    if where.quick or where.data is None:
        return split(*digits(), train=1200)
    return split(*mnist(where.data, halved=True), train=8000)


def batches(count: int, size: Size, seed: int) -> torch.Tensor:
    """Which examples a run sees in each step, [steps, batch]: whole passes, each in a new order."""
    generator = torch.Generator().manual_seed(seed)
    each = count // size.batch
    passes = -(-size.steps // each)
    orders = [torch.randperm(count, generator=generator)[: each * size.batch].to(torch.int32) for _ in range(passes)]
    return torch.cat(orders).view(-1, size.batch)[: size.steps]


def measure(where: Where, setting: Setting, rate: float) -> dict[str, Any]:
    """All runs of one setting at one learning rate, side by side: first those without noise, then those with."""
    size, found = QUICK if where.quick else FULL, data(where)
    if not where.quick and rate == RATES[0]:
        size = size._replace(steps=size.steps * setting.longer)
    seeds = range(size.seeds)
    shape = (found.x.shape[1], setting.layers, size.width, 10, setting.init)
    stack = Stack([Deep(*shape, seed) for seed in seeds] * 2)
    keys = {size.seeds + i: Keys(seed, list(stack.weights)) for i, seed in enumerate(seeds)}
    order = torch.stack([batches(len(found.y), size, seed) for seed in seeds], 1)
    sigma = tn.power_decay(ETA, GAMMA)
    clipped, curve = torch.zeros(2 * size.seeds), []
    for step in range(size.steps):
        rows = order[step].long().repeat(2, 1)
        stack.backward(found.x[rows], found.y[rows])
        if setting.clip is not None:
            clipped += ~(stack.clip(setting.clip) <= setting.clip)
        stack.noise(keys, sigma(step), step)
        stack.step(rate)
        if (step + 1) % (size.steps // size.looks) == 0:
            curve.append(stack.accuracy(found.test_x, found.test_y).tolist())
    runs = [[round(score, 2) for score in run] for run in zip(*curve, strict=True)]
    clean, noisy = runs[: size.seeds], runs[size.seeds :]
    return {"steps": size.steps, "clean": clean, "noisy": noisy, "clipped": float(clipped.sum())}


def part(name: str, rate: float) -> str:
    return f"{name}, {rate:g}"


# At the low rate gradients stay below 10 and no threshold does anything: one measurement stands for three settings.
SHARED = {part("simple", RATES[1]): part("clip 10", RATES[1]), part("clip 100", RATES[1]): part("clip 10", RATES[1])}
PARTS = {
    part(name, rate): partial(measure, setting=setting, rate=rate)
    for rate in RATES
    for name, setting in SETTINGS.items()
    if part(name, rate) not in SHARED
}


def runs_of(found: Mapping[str, Any], name: str, rate: float) -> Any:
    """What was measured of a setting."""
    asked = part(name, rate)
    if asked not in SHARED:
        return found[asked]
    shared = found[SHARED[asked]]
    if shared["clipped"]:
        raise SystemExit(f"{SHARED[asked]}: gradients were clipped, so that these runs do not stand for {asked}")
    return shared


def last(runs: list[list[float]]) -> list[float]:
    return [run[-1] for run in runs]


def tables(found: Mapping[str, Any]) -> dict[str, str]:
    return {"paper": beside_the_paper(found), "rates": by_rate(found), "walk": walk(found)}


def beside_the_paper(found: Mapping[str, Any]) -> str:
    """Best and average over both rates, as the paper's table has them."""
    lines = []
    for name, setting in SETTINGS.items():
        both = [runs_of(found, name, rate) for rate in RATES]
        # the scores of each arm, [seeds, rates]; a seed has the same initial weights at both rates
        arms = {arm: np.array([last(runs[arm]) for runs in both]).T for arm in ("clean", "noisy")}
        told = ["", ""] if setting.paper is None else [f"{best} / {mean}" for best, mean in setting.paper]
        ours = [f"{scores.max():.1f} / {scores.mean():.1f}" for scores in arms.values()]
        gain = paired(arms["noisy"].mean(1), arms["clean"].mean(1))
        lines.append([setting.title, *told, *ours, gain.shown(sign=True)])
    head = ["setting", "paper, no noise", "paper, noise", "here, no noise", "here, noise", "noise adds to the average"]
    return table(head, lines)


def by_rate(found: Mapping[str, Any]) -> str:
    """Each rate alone, with intervals."""
    lines = []
    for name, setting in SETTINGS.items():
        for rate in RATES:
            runs = runs_of(found, name, rate)
            clean, noisy = last(runs["clean"]), last(runs["noisy"])
            cells = [setting.title, f"{rate:g}", f"{runs['steps']:,}"]
            for arm in (clean, noisy):
                learned = sum(score > 50 for score in arm)
                cells += [t_interval(arm).shown(), f"{learned} of {len(arm)} {ends(learned, len(arm))}"]
            lines.append([*cells, paired(noisy, clean).shown(sign=True)])
    head = ["setting", "rate", "steps", "no noise", "learned", "noise", "learned", "noise minus none"]
    return table(head, lines)


def ends(count: int, of: int) -> str:
    interval = share(count, of)
    return f"[{interval.low:.0f}, {interval.high:.0f} %]"


def walk(found: Mapping[str, Any]) -> str:
    """How large noise alone has made the weights by the time that networks begin to learn."""
    rate, lines = RATES[0], []
    for name in ("clip 10", "zero"):
        runs = runs_of(found, name, rate)
        begun = [next((k for k, score in enumerate(run) if score > 50), len(run) - 1) + 1 for run in runs["noisy"]]
        step = int(np.median(begun) * runs["steps"] / len(runs["noisy"][0]))
        noise = sum(tn.power_decay(ETA, GAMMA)(t) ** 2 for t in range(step))
        first = INITS[SETTINGS[name].init](FULL.width)
        size = math.sqrt(first**2 + rate**2 * noise)
        lines.append([SETTINGS[name].title, f"{first:g}", f"{step:,}", f"{size:.3f}"])
    head = [
        "setting",
        "weights' deviation at first",
        "half of the runs have learned by step",
        "deviation by noise then",
    ]
    return table(head, lines)


def draw(found: Mapping[str, Any]) -> Figure:
    """Each run's accuracy on the test digits while it is trained at the high rate."""
    made = figure(5.2)
    for i, (name, setting) in enumerate(SETTINGS.items()):
        left, bottom = 0.62 + 2.5 * (i % 3), 2.95 - 2.4 * (i // 3)
        on = axes(made, left, bottom, 2.1, 1.6, setting.title)
        runs = runs_of(found, name, RATES[0])
        for arm, colour, style in (("clean", BLUE, "--"), ("noisy", RED, "-")):
            for run in runs[arm]:
                steps = [runs["steps"] * (k + 1) / len(run) / 1000 for k in range(len(run))]
                on.plot(steps, run, style, color=colour, linewidth=0.8, alpha=0.7)
        on.set_ylim(0, 100)
        label(on, "steps, thousands", "test accuracy, %" if i % 3 == 0 else "")
    write(made, 0.62, 4.92, "solid red: with noise on gradients", colour=RED)
    write(made, 4.2, 4.92, "dashed blue: without", colour=BLUE)
    return made


STUDY = Study("neelakantan", PARTS, tables, draw)

if __name__ == "__main__":
    STUDY.run(__doc__)
