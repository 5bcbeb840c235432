"""Noise on inputs against weight decay: python benchmarks/evidence/weight_decay.py --data FOLDER --write

Small networks on UCI Adult, trained on 1,000 rows and on 10,000. Each regulariser's strength, and the pair's, is chosen
on validation rows with seeds of their own; then fresh seeds are trained and the test rows are scored once. Some ten
minutes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from kit.adult import Parts, Table, adult, cancer, parts
from kit.interval import Interval, paired, t_interval
from kit.nets import network
from kit.picture import BLUE, GREEN, INK, RED, SMALL, axes, figure, label, ticks
from kit.study import Study, Where, table
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional

import torchnoise as tn
from torchnoise.lab.statistics import detectable, paired_difference

NOISES = (0.05, 0.1, 0.2, 0.4, 0.8)  # standard deviations; numbers have 1, columns of categories are 0 and 1
DECAYS = (0.3, 1.0, 3.0, 10.0, 30.0)  # AdamW's
BATCH, RATE, HIDDEN = 64, 3e-3, (64, 64)


class Size(NamedTuple):
    search: int  # seeds that choose
    seeds: int  # seeds that are tested
    train: int
    epochs: int
    validation: int = 4000
    test: int = 15_000


SIZES = {"1,000 rows": Size(5, 10, 1000, 30), "10,000 rows": Size(5, 10, 10_000, 6)}
QUICK = Size(2, 3, 100, 2, 100, 300)


class Arm(NamedTuple):
    noise: float = 0.0
    decay: float = 0.0


ARMS = {
    "nothing": [Arm()],
    "noise": [Arm(noise=s) for s in NOISES],
    "decay": [Arm(decay=d) for d in DECAYS],
    "both": [Arm(s, d) for s in NOISES for d in DECAYS],
}
PAIRS = (
    *((name, "nothing") for name in ("noise", "decay", "both")),
    *(("noise", "decay"), ("both", "noise"), ("both", "decay")),
)


def measure(where: Where, size: Size) -> dict[str, Any]:
    """Strengths are chosen by the mean validation loss; what they give on the test rows."""
    rows = cancer() if where.quick or where.data is None else adult(where.data)
    size = QUICK if where.quick else size
    search = list(searched(rows, size))
    chosen = {name: min(arms, key=lambda arm: mean_of(search, arm)) for name, arms in ARMS.items()}
    tested = {name: tuple(tests(rows, size, arm)) for name, arm in chosen.items()}
    return {
        "search": search,
        "chosen": {name: arm._asdict() for name, arm in chosen.items()},
        "arms": {name: [run.summary() for run in runs] for name, runs in tested.items()},
        "differences": {f"{a} - {b}": difference(tested[a], tested[b]) for a, b in PAIRS},
    }


def searched(rows: Table, size: Size) -> Iterator[dict[str, Any]]:
    """The validation loss of each arm, over the seeds that choose."""
    seeds = range(1000, 1000 + size.search)
    found = [parts(rows, size.train, size.validation, size.test, seed) for seed in seeds]
    for arm in (arm for arms in ARMS.values() for arm in arms):
        models = [trained(f, arm, size.epochs, seed) for f, seed in zip(found, seeds, strict=True)]
        runs = [run_of(model, *f.validation) for model, f in zip(models, found, strict=True)]
        yield {**arm._asdict(), "losses": [run.loss for run in runs]}


def mean_of(search: list[dict[str, Any]], arm: Arm) -> float:
    return losses_of(search, arm).mean


def losses_of(search: list[dict[str, Any]], arm: Arm) -> Interval:
    return t_interval(next(s["losses"] for s in search if (s["noise"], s["decay"]) == arm))


class Run(NamedTuple):
    """right: of each row, 1 where the network was right, and 0;  loss: their mean cross-entropy."""

    right: np.ndarray
    loss: float

    def summary(self) -> dict[str, float]:
        return {"accuracy": 100.0 * float(self.right.mean()), "loss": self.loss}


def run_of(model: nn.Module, x: Tensor, y: Tensor) -> Run:
    with torch.no_grad():
        logits = model.eval()(x)
    return Run((logits.argmax(1) == y).double().numpy(), float(functional.cross_entropy(logits, y)))


def tests(rows: Table, size: Size, arm: Arm) -> Iterator[Run]:
    """Fresh seeds, on the test rows."""
    for seed in range(size.seeds):
        found = parts(rows, size.train, size.validation, size.test, seed)
        yield run_of(trained(found, arm, size.epochs, seed), *found.test)


def trained(found: Parts, arm: Arm, epochs: int, seed: int) -> nn.Module:
    """AdamW, its rate falling to 0 along half a cosine. The same seed, the same initial weights and batches."""
    x, y = found.train
    model = network((x.shape[1], *HIDDEN, 2), nn.ReLU, seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=arm.decay)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * -(-len(y) // BATCH))
    generator = torch.Generator().manual_seed(seed)
    plan = tn.Plan(*([tn.Injection(tn.Gaussian(arm.noise), at=tn.Inputs())] if arm.noise else []))
    with tn.attach(model, plan, seed=seed, optimizer=optimizer, measure_every=0):
        for _ in range(epochs):
            for rows in torch.randperm(len(y), generator=generator).split(BATCH):
                optimizer.zero_grad()
                functional.cross_entropy(model(x[rows]), y[rows]).backward()
                optimizer.step()
                falling.step()
    return model


def difference(a: Sequence[Run], b: Sequence[Run]) -> dict[str, Any]:
    """Accuracies in points, over seeds and test rows; losses over seeds."""
    found = paired_difference(np.stack([run.right for run in a]), np.stack([run.right for run in b]))
    loss = paired([run.loss for run in a], [run.loss for run in b])
    return {"accuracy": (found.mean, found.low, found.high), "loss": loss, "detectable": detectable(found)}


def tables(found: Mapping[str, Any]) -> dict[str, str]:
    return {"arms": arms_table(found), "differences": differences_table(found)}


def arms_table(found: Mapping[str, Any]) -> str:
    lines = []
    for rows, part in found.items():
        for name, runs in part["arms"].items():
            noise, decay = (f"{part['chosen'][name][k]:g}" for k in ("noise", "decay"))
            cells = [t_interval([run[k] for run in runs]).shown(d) for k, d in (("accuracy", 1), ("loss", 4))]
            lines.append([rows, name, noise, decay, *cells])
    return table(["trained on", "arm", "noise chosen", "decay chosen", "test accuracy, %", "test loss"], lines)


def differences_table(found: Mapping[str, Any]) -> str:
    lines = []
    for rows, part in found.items():
        for name, difference in part["differences"].items():
            accuracy, loss = (Interval(*difference[k]) for k in ("accuracy", "loss"))
            seen = f"{difference['detectable']:.2f}"
            lines.append([rows, name, accuracy.shown(2, sign=True), seen, loss.shown(4, sign=True)])
    return table(["trained on", "difference", "accuracy, points", "smallest detectable", "loss"], lines)


def draw(found: Mapping[str, Any]) -> Figure:
    """Validation losses of the ladders."""
    made = figure(3.9)
    for i, (rows, part) in enumerate(found.items()):
        on = axes(made, 0.8 + 3.9 * i, 0.95, 3.1, 2.5, f"Trained on {rows}")
        on.axhline(losses_of(part["search"], Arm()).mean, color=INK, linewidth=0.8, label="neither")
        for name, colour, style in (("noise", BLUE, "o-"), ("decay", RED, "s--")):
            each = [losses_of(part["search"], arm).mean for arm in ARMS[name]]
            on.plot(NOISES if name == "noise" else DECAYS, each, style, color=colour, label=name, markersize=5)
        both = losses_of(part["search"], Arm(**part["chosen"]["both"]))
        on.axhline(both.mean, color=GREEN, linewidth=1.4, linestyle=":", label="the best pair")
        ticks(on, (0.1, 1, 10))
        label(on, "noise: standard deviation; decay: AdamW's", "validation loss" if i == 0 else "")
    handles, names = on.get_legend_handles_labels()
    made.legend(handles, names, loc="lower center", ncols=4, fontsize=SMALL, frameon=False)
    return made


STUDY = Study("weight_decay", {name: partial(measure, size=size) for name, size in SIZES.items()}, tables, draw)

if __name__ == "__main__":
    STUDY.run(__doc__)
