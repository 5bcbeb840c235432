"""`torchnoise advise`: what it prints, what it trains, and one line for what is wrong."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from torchnoise.cli.advise import Wishes, run_advise
from torchnoise.lab.settings import Source

OWN = """
import torch
from torch import nn

def fresh():
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))

def good():
    net = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 2))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[2.0, 0, 0], [-2.0, 0, 0]]))
        net[2].weight.copy_(torch.tensor([[-1.0, 1], [1, -1]]))
    return net
"""


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """300 rows, whose class is told by `a`, nearly always; and a module with models for it."""
    monkeypatch.chdir(tmp_path)
    draw = random.Random(0)
    rows = ["a,b,c,y"]
    for _ in range(300):
        a, b, c = (draw.gauss(0, 1) for _ in range(3))
        rows.append(f"{a:.4f},{b:.4f},{c:.4f},{'yes' if a + 0.3 * draw.gauss(0, 1) > 0 else 'no'}")
    Path("made.csv").write_text("\n".join(rows) + "\n")
    Path("own_nets.py").write_text(OWN)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "own_nets", raising=False)
    return "made.csv"


def found(capsys: pytest.CaptureFixture[str], model: str, table: str, **how: Any) -> tuple[dict[str, Any], str]:
    assert run_advise(Wishes(model, Source(table, "y"), **how), as_json=True) == 0
    said = capsys.readouterr()
    return json.loads(said.out), said.err


def test_a_built_in_model_is_trained_first(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_advise(Wishes("mlp", Source(table, "y"), train=4)) == 0
    out, err = capsys.readouterr()
    assert "trained without noise for 4 epochs: loss 0." in out
    assert "(at chance 0.69" in out
    assert "(the model's input)" in out
    for name in ("gaussian_input", "dropout", "gradient"):
        assert f" {name} " in out
    assert "One site at a time: Gaussian noise of this sigma raises the loss by 10 %" in out
    assert "gradient: does not act on the loss" in out
    assert "no better than chance" not in err


def test_what_is_told_to_other_programs(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Twice the same; another rise gives another strength."""
    one, _ = found(capsys, "mlp", table, train=4, noises="gaussian_input,weight_decay")
    again, _ = found(capsys, "mlp", table, train=4, noises="gaussian_input,weight_decay")
    more, _ = found(capsys, "mlp", table, train=4, noises="gaussian_input", rise=0.4)
    assert one == again
    assert list(one) == ["model", "data", "examples", "rise", "loss", "sites", "noises", "warnings"]
    assert [n["name"] for n in one["noises"]] == ["gaussian_input", "weight_decay"]
    assert one["noises"][1]["strength"] is None
    strengths = [r["noises"][0]["strength"] for r in (one, more)]
    assert strengths[1] == pytest.approx(2 * strengths[0], rel=0.3)  # nearly the square's law
    assert one["sites"][0]["kind"] == "input"
    assert one["loss"]["clean"] < one["loss"]["chance"]


def test_a_model_of_ones_own_keeps_its_weights(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    fresh, warned = found(capsys, "own_nets:fresh", table)
    assert fresh["model"]["weights"] == "with the weights that it has"
    assert "is no better than chance" in warned
    good, warned = found(capsys, "own_nets:good", table)
    assert good["loss"]["clean"] < 0.6 < fresh["loss"]["clean"]
    assert good["warnings"] == []
    trained, _ = found(capsys, "own_nets:fresh", table, train=6)
    assert trained["model"]["weights"] == "trained without noise for 6 epochs"
    assert trained["loss"]["clean"] < fresh["loss"]["clean"]


def test_weights_from_a_file(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    import own_nets  # type: ignore[import-not-found]

    zero = {name: torch.zeros_like(t) for name, t in own_nets.good().state_dict().items()}
    save_file(zero, "zero.safetensors")
    result, _ = found(capsys, "own_nets:good", table, weights=Path("zero.safetensors"))
    assert result["loss"]["clean"] == pytest.approx(0.6931, abs=1e-3)  # two equal logits
    assert result["model"]["weights"] == "with the weights of zero.safetensors"


def test_few_sites(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    result, warned = found(capsys, "own_nets:good", table, sites=2)
    assert [s["name"] for s in result["sites"]] == ["", "2"]
    assert "4 of the model's sites were not looked at, evenly spread; --sites N sets how many are" in warned


@pytest.mark.parametrize(
    ("how", "line"),
    [
        ({"rise": 0.0}, "--rise is 0, allowed: a number above 0"),
        ({"sites": 0}, "--sites is 0, allowed: a whole number from 1"),
        ({"train": -1}, "--train is -1, allowed: a whole number from 0"),
        ({"train": 1, "weights": Path("x")}, "--train beside --weights, allowed: one of them"),
        ({"weights": Path("gone.safetensors")}, "--weights gone.safetensors: No such file or directory"),
        ({"weights": Path("made.csv")}, "--weights made.csv: "),
        ({"weights": Path("other.safetensors")}, "--weights other.safetensors does not fit the model: Missing key"),
        ({"noises": "wieght"}, "--noises: no noise is called 'wieght'; did you mean 'weight'"),
        ({"model": "mpl"}, "--model mpl: no such model"),
    ],
    ids=lambda v: str(v)[:30],
)
def test_one_line_for_what_is_wrong(
    how: dict[str, Any], line: str, table: str, capsys: pytest.CaptureFixture[str]
) -> None:
    save_file({"other": torch.zeros(1)}, "other.safetensors")
    assert run_advise(Wishes(**{"model": "own_nets:good", "source": Source(table, "y")} | how)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"torchnoise: {line}")
    assert err.count("\n") == 1


def test_a_loss_that_is_not_finite(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    import own_nets

    net: nn.Module = own_nets.good()
    save_file({name: torch.full_like(t, float("nan")) for name, t in net.state_dict().items()}, "nan.safetensors")
    wishes = Wishes("own_nets:good", Source(table, "y"), weights=Path("nan.safetensors"))
    assert run_advise(wishes) == 2
    assert "loss is not finite, so there is nothing to advise by" in capsys.readouterr().err
