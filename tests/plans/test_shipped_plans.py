"""The plans in examples/plans: each says what it does, and its noise enters a model that fits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from cases import Text, fill
from mutations import SHIPPED
from torch import Tensor, nn

import torchnoise as tn
from torchnoise.cli.find_model import find_model
from torchnoise.plans.read import read_file


class Fit(NamedTuple):
    """A model for a plan, its inputs, and where noise enters in one step."""

    model: Callable[[], nn.Module]
    inputs: Callable[[], Tensor]
    sites: set[str]


def mlp() -> nn.Module:
    return find_model("mlp")


def ids() -> Tensor:
    return torch.randint(1, 20, (4, 6), generator=torch.Generator().manual_seed(0))


def text() -> nn.Module:
    model = Text()
    fill(model)
    return model


def images() -> Tensor:
    return torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(0))


WEIGHTS = {f"{i}.weight (weight)" for i in (1, 3, 5)}
GRADIENTS = {f"{i}.{name} (gradient)" for i in (1, 3, 5) for name in ("weight", "bias")}
RELUS = {"2 (activation.output)", "4 (activation.output)"}
FITS: dict[str, Fit] = {
    "adult": Fit(mlp, images, {"model (input)"} | WEIGHTS),
    "dropout_and_weight_noise": Fit(mlp, images, RELUS | WEIGHTS),
    "gaussian_input": Fit(mlp, images, {"model (input)"}),
    "gradient_noise": Fit(mlp, images, GRADIENTS),
    "mnist": Fit(
        lambda: find_model("cnn"), images, {"model (input)", "1 (activation.output)", "4 (activation.output)"}
    ),
    "neftune": Fit(text, ids, {"embedding (embedding)"}),
    "salt_and_pepper": Fit(mlp, images, {"model (input)"}),
}


def test_every_plan_is_here() -> None:
    assert [path.stem for path in SHIPPED] == sorted(FITS)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_each_attaches_and_trains(path: Path) -> None:
    """Three steps with noise at every site of the plan; a warning that noise entered nowhere would be an error."""
    first, second = path.read_text().splitlines()[:2]
    assert first.startswith("# ")
    assert first.endswith(".")
    assert (path.parent / second.partition("$schema=")[2]).is_file()
    fit = FITS[path.stem]
    model = fit.model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with tn.attach(model, tn.Plan.load(path), optimizer=optimizer, measure_every=1) as noise:
        for _ in range(3):
            optimizer.zero_grad()
            noise.check(model(fit.inputs()).square().mean()).backward()
            optimizer.step()
        found = {row.site: row for row in noise.report().rows}
    assert set(found) == fit.sites
    assert any(row.rms for row in found.values())


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_each_comes_back_equal(path: Path) -> None:
    file = read_file(path)
    assert tn.Plan.from_yaml(file.plan.to_yaml()) == file.plan
    assert file.seed == (0 if path.stem in ("adult", "mnist") else None)
    text = path.read_text().splitlines()
    assert all(text[line - 1].startswith("  - noise: ") for line in file.lines)
