"""Training with noise on inputs against Tikhonov's regularisation (Bishop 1995):

    python benchmarks/evidence/bishop.py --write

First, how much the loss of trained networks rises under noise on their inputs, against what theory says, from weak
noise to strong. Then networks trained with noise beside networks trained with the penalty that it should amount to. On
data that scikit-learn ships; some minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from kit.data import Split, diabetes, digits, split
from kit.interval import paired, t_interval
from kit.nets import network, train
from kit.picture import BLUE, GREEN, INK, ORANGE, RED, axes, figure, label, legend, ticks
from kit.study import Study, Where, table
from kit.tikhonov import losses, penalty, rise, second_order
from matplotlib.figure import Figure
from torch import Tensor, nn

import torchnoise as tn


class Case(NamedTuple):
    """A kind of network on a kind of data."""

    data: str
    hidden: tuple[int, ...]
    activation: Callable[[], nn.Module]


CASES = {
    "diabetes, linear": Case("diabetes", (), nn.Identity),
    "diabetes, tanh": Case("diabetes", (32,), nn.Tanh),
    "diabetes, ReLU": Case("diabetes", (32,), nn.ReLU),
    "digits, tanh": Case("digits", (32,), nn.Tanh),
}
TRAINED = ("diabetes, linear", "diabetes, tanh", "digits, tanh")  # with noise and with the penalty
SIGMAS = (0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 1.0)  # in standard deviations of the inputs
STRENGTHS = (0.1, 0.3, 1.0)


class Size(NamedTuple):
    seeds: int
    steps: int
    draws: int


FULL, QUICK = Size(10, 1000, 200), Size(2, 20, 3)
RATE = 0.01


def data(case: Case, seed: int) -> tuple[Split, float]:
    """A split of its own for each seed, and the standard deviation of its inputs."""
    found = split(
        *(diabetes() if case.data == "diabetes" else digits()), train=300 if case.data == "digits" else 221, seed=seed
    )
    return found, float(found.x.std())


def fresh(case: Case, found: Split, seed: int) -> nn.Module:
    return network((found.x.shape[1], *case.hidden, 1 if found.y.is_floating_point() else 10), case.activation, seed)


def score(model: nn.Module, found: Split) -> float:
    """Of the test part, in per cent: accuracy, or the share of variance explained."""
    with torch.no_grad():
        if not found.y.is_floating_point():
            return 100.0 * float((model(found.test_x).argmax(1) == found.test_y).double().mean())
        left = losses(model, found.test_x, found.test_y).mean()
        return 100.0 * float(1.0 - left / found.test_y.var(correction=0))


def measure_rise(where: Where) -> dict[str, Any]:
    """Measured rise and both predictions, for each case, sigma and network."""
    size = QUICK if where.quick else FULL
    return {name: [rises(case, seed, size) for seed in range(size.seeds)] for name, case in CASES.items()}


def rises(case: Case, seed: int, size: Size) -> dict[str, Any]:
    found, unit = data(case, seed)
    model = fresh(case, found, seed)
    train(model, lambda: losses(model, found.x, found.y).mean(), size.steps, RATE)
    predicted = penalty(model, found.x, found.y).item()
    rows = []
    for sigma in SIGMAS:
        measured = rise(model, found.x, found.y, sigma * unit, size.draws, seed)
        rows.append({"sigma": sigma, "rise": measured, "penalty": predicted * (sigma * unit) ** 2})
    said = {"residuals": residuals_part(model, found.x, found.y)}
    said["test_residuals"] = residuals_part(model, found.test_x, found.test_y)
    if case.activation is nn.ReLU:
        said |= {"crowd": crowd(model, found.x), "test_crowd": crowd(model, found.test_x)}
    return {"rows": rows, **said}


def residuals_part(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """The second derivatives' part, in per cent of the penalty."""
    return 100.0 * (second_order(model, x, y).item() / penalty(model, x, y).item() - 1)


def crowd(model: nn.Module, x: Tensor, near: float = 0.003, around: float = 0.3) -> float:
    """How many times more examples lie very near to where a unit of the first layer switches than around it."""
    first = model[0]  # type: ignore[index]
    with torch.no_grad():
        distance = first(x).abs() / first.weight.norm(dim=1)
    return float((distance < near).double().mean() / near / ((distance < around).double().mean() / around))


def measure_training(where: Where) -> dict[str, Any]:
    """Test scores of networks trained plainly, with noise and with the penalty; how far apart they end."""
    size = QUICK if where.quick else FULL
    return {name: [trainings(CASES[name], seed, size) for seed in range(size.seeds)] for name in TRAINED}


def trainings(case: Case, seed: int, size: Size) -> dict[str, Any]:
    found, unit = data(case, seed)

    def ended(sigma: float, as_penalty: bool) -> nn.Module:
        model = fresh(case, found, seed)
        plan = None if as_penalty or not sigma else tn.Plan(tn.Injection(tn.Gaussian(sigma * unit), at=tn.Inputs()))

        def loss() -> Tensor:
            plain = losses(model, found.x, found.y).mean()
            return plain + (sigma * unit) ** 2 * penalty(model, found.x, found.y) if as_penalty else plain

        train(model, loss, size.steps, RATE, plan, seed)
        return model

    plain = ended(0.0, False)
    rows = []
    for sigma in STRENGTHS:
        noisy, tikhonov = ended(sigma, False), ended(sigma, True)
        row = {"sigma": sigma, "noise": score(noisy, found), "penalty": score(tikhonov, found)}
        rows.append({**row, "apart": apart(noisy, tikhonov, found) / apart(noisy, plain, found)})
    return {"plain": score(plain, found), "rows": rows}


def apart(a: nn.Module, b: nn.Module, found: Split) -> float:
    """The rms difference of what two networks say about the test part: numbers, or probabilities."""
    with torch.no_grad():
        said = [model(found.test_x) for model in (a, b)]
        if not found.y.is_floating_point():
            said = [torch.softmax(z, 1) for z in said]
        return float((said[0] - said[1]).square().mean().sqrt())


def ratios(networks: list[Any], i: int) -> list[float]:
    return [n["rows"][i]["rise"] / n["rows"][i]["penalty"] for n in networks]


def tables(found: Mapping[str, Any]) -> dict[str, str]:
    crowds = {k: t_interval([n[k] for n in found["rise"]["diabetes, ReLU"]]).shown() for k in ("crowd", "test_crowd")}
    kinks = (
        "Within 0.003 of the place where a rectified unit switches lie {crowd} times as many training examples as"
        "\naround it; of other examples, {test_crowd} times as many."
    )
    texts = {"rise": rise_table(found["rise"]), "kinks": kinks.format(**crowds)}
    return {**texts, "training": training_table(found["training"])}


def rise_table(found: Mapping[str, Any]) -> str:
    lines = []
    for name, networks in found.items():
        cells = [t_interval(ratios(networks, i)).shown(2) for i in range(len(SIGMAS))]
        extra = [t_interval([n[k] for n in networks]).shown(0, sign=True) for k in ("residuals", "test_residuals")]
        lines.append([name, *cells, *extra])
    head = ["network", *(f"sigma {s:g}" for s in SIGMAS), "residuals' part, %", "the same on test data, %"]
    return table(head, lines)


def training_table(found: Mapping[str, Any]) -> str:
    lines = []
    for name, runs in found.items():
        plain = [run["plain"] for run in runs]
        for i, sigma in enumerate(STRENGTHS):
            noise, tikhonov, ratio = ([run["rows"][i][k] for run in runs] for k in ("noise", "penalty", "apart"))
            cells = [t_interval(v).shown() for v in (plain, noise, tikhonov)]
            gains = [paired(noise, plain).shown(sign=True), paired(tikhonov, noise).shown(sign=True)]
            lines.append([name, f"{sigma:g}", *cells, *gains, t_interval(ratio).shown(2)])
    head = ["network", "sigma", "plain", "noise", "penalty", "noise - plain", "penalty - noise", "apart"]
    return table(head, lines)


def draw(found: Mapping[str, Any]) -> Figure:
    """Measured rise over predicted penalty, against the noise's strength."""
    made = figure(3.6)
    on = axes(made, 0.7, 0.55, 7.0, 2.6, "How much the loss rises under noise on inputs, over what the penalty says")
    on.axhline(1.0, color=INK, linewidth=0.8)
    looks = zip((BLUE, RED, ORANGE, GREEN), "os^D", ("-", "--", ":", "-."), strict=True)
    for (name, networks), (colour, marker, style) in zip(found["rise"].items(), looks, strict=True):
        means = [t_interval(ratios(networks, i)) for i in range(len(SIGMAS))]
        on.fill_between(SIGMAS, [m.low for m in means], [m.high for m in means], color=colour, alpha=0.2, linewidth=0)
        on.plot(SIGMAS, [m.mean for m in means], style, marker=marker, color=colour, label=name, markersize=5)
    ticks(on, SIGMAS)
    ticks(on, (0.3, 1, 3, 10, 30), "y")
    label(on, "sigma, in standard deviations of the inputs", "measured / predicted")
    legend(on, "upper left")
    return made


STUDY = Study("bishop", {"rise": measure_rise, "training": measure_training}, tables, draw, needs_data=False)

if __name__ == "__main__":
    STUDY.run(__doc__)
