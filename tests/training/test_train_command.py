"""`torchnoise train`: from a plan file and data to a model on disk, in this process and in one of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from data_files import write_csv, write_mnist
from safetensors.torch import load_file

from torchnoise.cli import main
from torchnoise.cli.train import described, read_data
from torchnoise.lab.models.nets import net_for
from torchnoise.lab.models.probe import probe
from torchnoise.lab.task import Task

PLAN = "injections:\n  - noise: {kind: gaussian, strength: 0.1}\n    at: inputs\n"


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN)
    return path


# -- the command ------------------------------------------------------------------------------------------------------


def test_it_trains_and_goes_on_and_writes_what_it_found(
    tmp_path: Path, plan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On digits: the files agree with each other; the same command again changes nothing; more epochs go on.

    Broken on purpose: the last weights written in the place of the best; the checkpoints' folder not given to fit.
    """
    out = tmp_path / "out"
    command = [
        "train",
        str(plan),
        "--epochs",
        "2",
        "--lr",
        "0.01",
        "--out",
        str(out),
        "--cpu",
        "--schedule",
        "constant",
    ]
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert "val_acc" in shown
    assert "test loss" in shown
    assert shown.strip().endswith(str(out))
    found = json.loads((out / "history.json").read_text())
    assert len(found["rows"]) == 2
    assert found["rows"][0]["strength"] == [pytest.approx(0.1)]
    assert found["test"]["acc"] > 0.7
    assert (out / "history.png").read_bytes().startswith(b"\x89PNG")
    data, test = read_data("digits", None, 0)
    model = net_for("mlp", data.shape, 10, 0)
    model.load_state_dict(load_file(out / "model.safetensors"))
    part = test.open()
    assert found["test"]["acc"] == pytest.approx((model(part.x).argmax(1) == part.y).float().mean().item())
    before = {p.name: p.read_bytes() for p in out.glob("*.*")}
    assert main([*command, "--quiet"]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    assert {p.name: p.read_bytes() for p in out.glob("*.*")} == before
    command[3] = "3"
    assert main([*command, "--quiet"]) == 0
    assert [r["lr"] for r in json.loads((out / "history.json").read_text())["rows"]] == [0.01] * 3


def test_tables_and_images(tmp_path: Path, plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = write_csv(tmp_path / "people.csv.gz")
    quick = ["--epochs", "1", "--cpu", "--batch-size", "16", "--quiet"]
    assert (
        main(["train", str(plan), "--data", str(table), "--target", "income", "--out", str(tmp_path / "a"), *quick])
        == 0
    )
    assert json.loads((tmp_path / "a/history.json").read_text())["classes"] == ["high", "low"]
    write_mnist(tmp_path)
    assert (
        main(["train", str(plan), "--data", str(tmp_path), "--model", "cnn", "--out", str(tmp_path / "b"), *quick]) == 0
    )
    assert json.loads((tmp_path / "b/history.json").read_text())["classes"] == ["0", "1", "2"]
    texts = tmp_path / "reviews.tsv"
    lines = [f"what a {'fine' if i % 2 else 'poor'} little film number {i} is\t{i % 2}" for i in range(60)]
    texts.write_text("\n".join(lines) + "\n")
    much = ["--lr", "0.01", "--epochs", "20", "--cpu", "--quiet", "--out", str(tmp_path / "c")]
    assert main(["train", str(plan), "--data", str(texts), "--target", "2", *much]) == 0
    assert json.loads((tmp_path / "c/history.json").read_text())["test"]["acc"] == 1.0


def test_ctrl_c_is_130_and_the_same_command_goes_on(tmp_path: Path, plan: Path) -> None:
    """A process of its own, interrupted once it has a checkpoint.

    Broken on purpose: exit status 0 after an interruption.
    """
    out = tmp_path / "out"
    code = "import sys; from torchnoise.cli import main; sys.exit(main())"
    flags = [
        "--epochs",
        "300",
        "--checkpoint-every",
        "5",
        "--cpu",
        "--quiet",
        "--schedule",
        "constant",
        "--out",
        str(out),
    ]
    command = [sys.executable, "-c", code, "train", str(plan), *flags]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 60
    while not list(out.glob("checkpoint/checkpoint-*")) and time.monotonic() < end:
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130, said
    assert "the same command goes on from there" in said
    assert not (out / "history.json").exists()
    assert main(["train", str(plan), *flags, "--epochs", "1"]) == 0
    assert len(json.loads((out / "history.json").read_text())["rows"]) >= 1


@pytest.mark.parametrize(
    ("flags", "status", "said"),
    [
        (["--data", "nowhere"], 2, "--data nowhere: no such file, allowed: digits"),
        (["--data", "x.csv"], 2, "--target names the column"),
        (["--target", "y"], 2, "--target names the column"),
        (["--data", "x.csv", "--target", "y"], 2, "x.csv: No such file or directory"),
        (["--model", "rnn"], 2, "--model rnn, allowed: mlp, cnn"),
        (["--model", "nowhere:net"], 2, "nowhere"),
        (["--batch-size", "0"], 2, "--batch-size is 0"),
        (["--epochs", "-1"], 2, "epochs is -1, allowed"),
        (["--epochs", "0"], 2, "--epochs is 0, allowed: a whole number from 1"),
        (["--data", "t.tsv", "--target", "a"], 2, "t.tsv: No such file or directory"),
        (["--data", "t.tsv.bz2"], 2, "--data t.tsv.bz2: no such file, allowed: digits, sklearn:NAME, a file .csv"),
        (["--precision", "int8"], 2, "precision is 'int8'"),
        (["--schedule", "cosin"], 2, "did you mean 'cosine'"),
        (["--lr", "1e30", "--epochs", "1", "--schedule", "constant", "--cpu"], 1, "the loss is"),
    ],
)
def test_what_is_wrong_is_one_line(
    tmp_path: Path, plan: Path, capsys: pytest.CaptureFixture[str], flags: list[str], status: int, said: str
) -> None:
    assert main(["train", str(plan), "--out", str(tmp_path / "out"), *flags]) == status
    error = capsys.readouterr().err
    assert said in error
    assert error.startswith("torchnoise: ")
    assert error.count("\n") == 1


def test_another_run_and_other_data_are_refused(tmp_path: Path, plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = write_csv(tmp_path / "t.csv")
    command = ["train", str(plan), "--data", str(table), "--target", "income", "--epochs", "1", "--cpu", "--quiet"]
    command += ["--out", str(tmp_path / "out")]
    assert main(command) == 0
    assert main([*command, "--lr", "0.5"]) == 2
    said = capsys.readouterr().err
    assert "lr was 0.001, is 0.5; choose another --out, or remove the folder\n" in said
    table.write_text(table.read_text().replace("red", "green", 1))
    assert main(command) == 2
    assert "has a run on other data" in capsys.readouterr().err
    plan.write_text("injections: 3\n")
    assert main(command) == 2
    assert "plan.yaml:1" in capsys.readouterr().err


# -- what is said before training --------------------------------------------------------------------------------------

NETS = """
from torch import nn

def make(): return nn.Linear(5, 2)
def narrow(): return nn.Linear(3, 2)
def wide(): return nn.Linear(5, 3)
def needs(inputs, outputs): return nn.Linear(inputs, outputs)
def flat(): return nn.Sequential(nn.Linear(5, 1), nn.Flatten(0))
def pair(): return nn.LSTM(5, 2)
class Broken(nn.Module):
    def forward(self, x): raise KeyError
"""


def trained(tmp_path: Path, plan: Path, *flags: str) -> int:
    """The exit status for write_csv's table: 5 inputs, 2 classes."""
    table = write_csv(tmp_path / "t.csv")
    command = ["train", str(plan), "--data", str(table), "--target", "income", "--epochs", "1", "--cpu"]
    return main([*command, "--out", str(tmp_path / "out"), *flags])


def test_how_the_data_were_read(tmp_path: Path, plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert trained(tmp_path, plan) == 0
    assert capsys.readouterr().out.startswith(
        "t.csv: 80 rows; income is one of 2 classes; 2 numeric columns, 1 of words (-> 5 inputs); left out: empty (all "
        "missing); a model takes batches of shape (N, 5) and gives 2 outputs, one for each class\n"
    )
    digits = described(read_data("digits", None, 0)[0])
    assert digits == (
        "digits: 1797 examples; 10 classes; a model takes batches of shape (N, 1, 8, 8) and gives 10 outputs, one for "
        "each class"
    )
    path = tmp_path / "numbers.csv"
    path.write_text("a,b\n" + "".join(f"{i},{i / 2 if i else ''}\n" for i in range(50)))
    said = described(read_data(str(path), "b", 0)[0])
    assert said.startswith("numbers.csv: 49 rows (1 more without a target); b is a number (regression); 1 numeric")
    assert said.endswith("and gives 1 output, for a number")


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("narrow", "its forward failed on a batch of shape (2, 5): mat1 and mat2 shapes cannot be multiplied"),
        ("wide", "its output for a batch of shape (2, 5) has shape (2, 3), allowed: (2, 2): 2 outputs, one for each"),
        ("pair", "its output for a batch of shape (2, 5) has type tuple, allowed: (2, 2): 2 outputs"),
        ("Broken", "its forward failed on a batch of shape (2, 5): KeyError"),
        (
            "needs",
            "takes arguments; allowed: a function without, which returns a model for inputs of shape (5,) and 2 out",
        ),
    ],
)
def test_a_model_that_does_not_fit(
    tmp_path: Path,
    plan: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    model: str,
    said: str,
) -> None:
    """One line, and nothing in the folder.

    Broken on purpose: _same_data before the model is made; the outputs' shape not compared.
    """
    (tmp_path / "mynets.py").write_text(NETS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mynets", raising=False)
    assert trained(tmp_path, plan, "--quiet", "--model", f"mynets:{model}") == 2
    error = capsys.readouterr().err
    assert error.startswith(f"torchnoise: --model mynets:{model}: {said}")
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_model_that_fits_keeps_its_modes(
    tmp_path: Path, plan: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mynets.py").write_text(NETS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mynets", raising=False)
    assert trained(tmp_path, plan, "--quiet", "--model", "mynets:make") == 0
    data, _ = read_data(str(tmp_path / "t.csv"), "income", 0)
    model = torch.nn.Sequential(torch.nn.Linear(5, 2), torch.nn.Dropout().eval())
    probe(model, data)
    assert [m.training for m in model.modules()] == [True, True, False]
    number = replace(data, task=Task(None))
    probe(torch.nn.Sequential(torch.nn.Linear(5, 1), torch.nn.Flatten(0)), number)
    with pytest.raises(ValueError, match=r"allowed: \(2, 1\): 1 output, for a number"):
        probe(model, number)


def test_a_site_that_the_model_does_not_have(tmp_path: Path, plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The injection's line in the plan, before anything is written.

    Broken on purpose: problems of the plan found, and not raised.
    """
    plan.write_text(
        PLAN + "  - noise: {kind: gaussian, strength: 0.1}\n    at: {kind: activations, select: {type: GELU}}\n"
    )
    assert trained(tmp_path, plan, "--quiet") == 2
    error = capsys.readouterr().err
    assert error.startswith(f"torchnoise: {plan}:4: injections[1]: ")
    assert "nothing matches 'GELU'" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_refused_run_does_not_bind_the_folder_to_its_data(
    tmp_path: Path, plan: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing was trained on them, so that other data may follow.

    Broken on purpose: the note compared where there is no checkpoint yet.
    """
    assert trained(tmp_path, plan, "--quiet", "--schedule", "cosin") == 2
    assert trained(tmp_path, plan, "--quiet", "--seed", "7") == 0


def test_words_among_numbers(tmp_path: Path, plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One word in a target of numbers is refused, in another column it is told; columns of words are left alone.

    Broken on purpose: rows counted after those without a target are gone; every column of words told.
    """
    path = tmp_path / "t.csv"
    rows = [[f"{i + 0.5}", f"{i % 30}", f"name {i}", f"{i % 7}"] for i in range(100)]
    rows[3][0], rows[16][1], rows[40][1], rows[50][3] = "", "about 30", "inf", "?"

    def write() -> None:
        path.write_text("price,age,name,few\n" + "".join(",".join(row) + "\n" for row in rows))

    write()
    told = "column 'age': 'about 30' (row 17) is no number, so it is taken as words (2 of 99 cells)"
    assert read_data(str(path), "price", 0)[0].doubts[0] == told
    command = ["train", str(plan), "--data", str(path), "--target", "price", "--epochs", "1", "--cpu", "--quiet"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    assert f"torchnoise: {told}\n" in capsys.readouterr().err
    rows[20][0] = "unknown"
    write()
    with pytest.raises(ValueError, match=r"--target price: 'unknown' \(row 21\) is no number.*or leave it empty") as no:
        read_data(str(path), "price", 0)
    assert "\n" not in str(no.value)
    names, _ = read_data(str(path), "few", 0)
    assert names.task.classes == tuple("0123456")


def test_images_too_small_for_convolutions() -> None:
    with pytest.raises(ValueError, match="--model cnn takes images"):
        net_for("cnn", (64,), 10, 0)
