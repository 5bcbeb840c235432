"""Noise and flatness: python benchmarks/evidence/flatness.py --data FOLDER --write

Trains small networks on 1,000 of MNIST's digits clean, with noise on weights and with noise on inputs, and asks: is
what noise finds flatter, and do flatter networks do better on 9,000 other digits? Some minutes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from kit.curvature import smoothed_rise, traces
from kit.data import Split, digits, mnist, split
from kit.interval import Interval, paired, t_interval
from kit.nets import network
from kit.picture import BLUE, GREEN, ORANGE, RED, SMALL, axes, figure, label, ticks
from kit.study import Study, Where, table
from matplotlib.figure import Figure
from torch import nn
from torch.nn import functional

import torchnoise as tn

RADII = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
SHOWN = (0.1, 0.3)  # in the table


class Arm(NamedTuple):
    """noise: on weights in their rms, or on inputs in their standard deviation;  longer: times the epochs."""

    title: str
    weights: float = 0.0
    inputs: float = 0.0
    longer: int = 1


ARMS = {
    "clean": Arm("clean"),
    "clean, longer": Arm("clean, 4 times as long", longer=4),
    **{f"weights {s:g}": Arm(f"noise on weights, {s:g} rms", weights=s) for s in (0.2, 0.4, 0.6)},
    **{f"inputs {s:g}": Arm(f"noise on inputs, {s:g} std", inputs=s) for s in (0.3, 0.6, 1.0)},
}


class Size(NamedTuple):
    seeds: int
    train: int
    epochs: int
    hidden: tuple[int, ...]
    draws: int
    probes: int


FULL, QUICK = Size(10, 1000, 40, (64, 64), 20, 50), Size(3, 200, 2, (8,), 2, 3)
BATCH, RATE = 50, 2e-3


def measure(where: Where, arm: Arm) -> list[dict[str, Any]]:
    """One network for each seed; a seed stands for its own training digits, initial weights and batches."""
    size = QUICK if where.quick else FULL
    x, y = digits() if where.quick or where.data is None else mnist(where.data, halved=True)
    x = (x - x.mean()) / x.std()
    return [run(split(x, y, size.train, seed), arm, size, seed) for seed in range(size.seeds)]


def run(found: Split, arm: Arm, size: Size, seed: int) -> dict[str, Any]:
    model = network((found.x.shape[1], *size.hidden, 10), nn.ReLU, seed)
    fit(model, found, arm, size.epochs * arm.longer, seed)
    with torch.no_grad():
        logits, test = model.eval()(found.x), model(found.test_x)
        scores = {
            "train_loss": float(functional.cross_entropy(logits, found.y)),
            "test_loss": float(functional.cross_entropy(test, found.test_y)),
            "accuracy": 100.0 * float((test.argmax(1) == found.test_y).double().mean()),
        }
    rises = [smoothed_rise(model, found.x, found.y, radius, size.draws) for radius in RADII]
    return {**scores, "rises": rises, **traces(model, found.x, found.y, size.probes)._asdict()}


def fit(model: nn.Module, found: Split, arm: Arm, epochs: int, seed: int) -> None:
    """Adam, its rate falling to 0 along half a cosine; the same seed, the same batches."""
    places = ((arm.weights, "rms", tn.Weights()), (arm.inputs, None, tn.Inputs()))
    plan = tn.Plan(*(tn.Injection(tn.Gaussian(s, relative_to=unit), at=at) for s, unit, at in places if s))
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * (len(found.y) // BATCH))
    generator = torch.Generator().manual_seed(seed)
    with tn.attach(model.train(), plan, seed=seed, optimizer=optimizer, measure_every=0):
        for _ in range(epochs):
            for rows in torch.randperm(len(found.y), generator=generator).split(BATCH):
                optimizer.zero_grad()
                functional.cross_entropy(model(found.x[rows]), found.y[rows]).backward()
                optimizer.step()
                falling.step()


def column(runs: list[Any], key: str) -> list[float]:
    return [run[key] for run in runs]


def rises(runs: list[Any], radius: float) -> list[float]:
    return [run["rises"][RADII.index(radius)] for run in runs]


def tables(found: Mapping[str, Any]) -> dict[str, str]:
    return {"arms": arms_table(found), "ranks": ranks_table(found)}


def arms_table(found: Mapping[str, Any]) -> str:
    lines = []
    for name, arm in ARMS.items():
        runs, clean = found[name], found["clean"]
        gain = (
            "" if name == "clean" else paired(column(runs, "accuracy"), column(clean, "accuracy")).shown(2, sign=True)
        )
        cells = [t_interval(column(runs, "train_loss")).shown(3), t_interval(column(runs, "test_loss")).shown(3)]
        cells += [t_interval(column(runs, "accuracy")).shown(), gain]
        cells += [t_interval(rises(runs, radius)).shown(3) for radius in SHOWN]
        cells += [t_interval(column(runs, "plain")).shown(), t_interval(column(runs, "relative")).shown(2)]
        lines.append([arm.title, *cells])
    head = ["trained", "training loss", "test loss", "test accuracy, %", "minus clean, points"]
    head += [f"rise at {radius:g} rms" for radius in SHOWN]
    return table([*head, "trace", "relative trace"], lines)


# how sharp a network is, by name; each is compared with how well it does on the test digits
SHARPNESS = {
    "rise at 0.1 rms": lambda runs: rises(runs, 0.1),
    "rise at 0.3 rms": lambda runs: rises(runs, 0.3),
    "trace": lambda runs: column(runs, "plain"),
    "relative trace": lambda runs: column(runs, "relative"),
}


def ranks_table(found: Mapping[str, Any]) -> str:
    """Spearman's correlation of sharpness and test results over all networks; intervals by resampling seeds."""
    lines = []
    for name, of in SHARPNESS.items():
        sharp = np.array([of(found[arm]) for arm in ARMS])  # [arms, seeds]
        cells = []
        for key in ("accuracy", "test_loss"):
            told = np.array([column(found[arm], key) for arm in ARMS])
            cells += [spearman(sharp, told).shown(2, sign=True), spearman(sharp, told, within=True).shown(2, sign=True)]
        lines.append([name, *cells])
    head = ["sharpness", "with accuracy", "the same within ways of training", "with test loss", "within"]
    return table(head, lines)


def spearman(a: np.ndarray, b: np.ndarray, within: bool = False, resamples: int = 1000) -> Interval:
    """The rank correlation of two [arms, seeds] over all networks, or of their ranks within each arm."""
    seeds = a.shape[1]
    drawn = np.random.default_rng(0).integers(seeds, size=(resamples, seeds))
    drawn = np.concatenate([np.arange(seeds)[None], drawn])
    first, second = (ranks(values[:, drawn].swapaxes(0, 1), within) for values in (a, b))  # [resamples, arms x seeds]
    size = np.sqrt((first**2).sum(1) * (second**2).sum(1))
    found = np.divide((first * second).sum(1), size, out=np.zeros_like(size), where=size > 0)
    low, high = np.percentile(found[1:], [2.5, 97.5])
    return Interval(float(found[0]), float(low), float(high))


def ranks(values: np.ndarray, within: bool) -> np.ndarray:
    """From their mean, of [resamples, arms, seeds]: of each arm alone, or of all."""
    from scipy.stats import rankdata

    found = rankdata(values if within else values.reshape(len(values), -1), axis=-1)
    return (found - found.mean(-1, keepdims=True)).reshape(len(values), -1)


LOOKS = {
    "clean": (BLUE, "o", "-"),
    "clean, longer": (GREEN, "D", "-."),
    "weights": (RED, "s", "--"),
    "inputs": (ORANGE, "^", ":"),
}
DRAWN = ("clean", "clean, longer", "weights 0.4", "inputs 0.6")  # as lines


def draw(found: Mapping[str, Any]) -> Figure:
    made = figure(4.0)
    left = axes(made, 0.95, 1.05, 2.95, 2.5, "Rise of the training loss")
    right = axes(made, 4.75, 1.05, 3.1, 2.5, "Rise at 0.1 rms, and test accuracy")
    for name in ARMS:
        colour, marker, style = LOOKS.get(name) or LOOKS[name.split()[0]]
        if name in DRAWN:
            means = [t_interval(rises(found[name], radius)).mean for radius in RADII]
            left.plot(RADII, means, style, marker=marker, color=colour, label=ARMS[name].title, markersize=5)
        sharp, score = t_interval(rises(found[name], 0.1)).mean, t_interval(column(found[name], "accuracy"))
        bars = score.mean - score.low
        right.errorbar(sharp, score.mean, bars, fmt=marker, color=colour, capsize=2, markersize=5)
    ticks(left, RADII)
    ticks(left, (0.0001, 0.001, 0.01, 0.1), "y")
    ticks(right, (0.0005, 0.001, 0.002, 0.004))
    label(left, "noise on the weights, in their rms", "rise of the loss")
    label(right, "rise of the training loss", "test accuracy, %")
    handles, names = left.get_legend_handles_labels()
    made.legend(handles, names, loc="lower center", ncols=2, fontsize=SMALL, frameon=False)
    return made


STUDY = Study("flatness", {name: partial(measure, arm=arm) for name, arm in ARMS.items()}, tables, draw)

if __name__ == "__main__":
    STUDY.run(__doc__)
