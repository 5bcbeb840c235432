"""`torchnoise train`: from a plan file and data to a model on disk, in this process and in one of its own."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from torchnoise.cli import main
from torchnoise.cli.probe import probe
from torchnoise.lab.idx import load_idx, read_idx
from torchnoise.lab.nets import net_for
from torchnoise.lab.sets import load_sets, split
from torchnoise.lab.tables import load_table, numbers, odd_cells, read_csv

PLAN = "injections:\n  - noise: {kind: gaussian, strength: 0.1}\n    at: inputs\n"


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN)
    return path


def write_csv(path: Path, rows: int = 80) -> Path:
    draw = np.random.default_rng(0)
    lines = ["size , colour,empty,constant,income"]
    for i in range(rows):
        size, colour = draw.normal(50, 10), draw.choice(["red", "blue, dark", "?"])
        shown = "" if i % 9 == 0 else f"{size:.3f}"
        lines.append(f'{shown}, "{colour}",NA,1,{"high" if size + 8 * (colour == "red") > 52 else "low"}')
    text = "\n".join(lines) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode("utf-8-sig"))
    return path


def write_idx(path: Path, array: np.ndarray) -> None:
    sizes = b"".join(int(n).to_bytes(4, "big") for n in array.shape)
    content = bytes([0, 0, 0x08, array.ndim]) + sizes + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def write_mnist(folder: Path, stem: str = "t10k-", count: int = 60, end: str = ".gz") -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(len(stem))
    y = draw.integers(0, 3, count)
    x = draw.integers(0, 50, (count, 8, 8)) + 60 * y[:, None, None]
    write_idx(folder / f"{stem}images-idx3-ubyte{end}", x)
    write_idx(folder / f"{stem}labels-idx1-ubyte{end}", y)
    return x, y


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
    sets = load_sets("digits", None, 0)
    model = net_for("mlp", sets.shape, 10, 0)
    model.load_state_dict(load_file(out / "model.safetensors"))
    x, y = sets.test.tensors
    assert found["test"]["acc"] == pytest.approx((model(x).argmax(1) == y).float().mean().item())
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
        (["--data", "t.tsv", "--target", "a"], 2, "--data t.tsv: no such file, allowed: digits, a file .csv"),
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
    digits = load_sets("digits", None, 0).described()
    assert digits == (
        "1797 examples; 10 classes; a model takes batches of shape (N, 1, 8, 8) and gives 10 outputs, one for each "
        "class"
    )
    path = tmp_path / "numbers.csv"
    path.write_text("a,b\n" + "".join(f"{i},{i / 2 if i else ''}\n" for i in range(50)))
    said = load_table(path, "b", 0).described()
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
    sets = load_sets(str(tmp_path / "t.csv"), "income", 0)
    model = torch.nn.Sequential(torch.nn.Linear(5, 2), torch.nn.Dropout().eval())
    probe(model, sets)
    assert [m.training for m in model.modules()] == [True, True, False]
    number = sets._replace(classes=None)
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
    assert load_sets(str(path), "price", 0).doubts == (told,)
    command = ["train", str(plan), "--data", str(path), "--target", "price", "--epochs", "1", "--cpu", "--quiet"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    assert f"torchnoise: {told}\n" in capsys.readouterr().err
    rows[20][0] = "unknown"
    write()
    with pytest.raises(ValueError, match=r"--target price: 'unknown' \(row 21\) is no number.*or leave it empty") as no:
        load_sets(str(path), "price", 0)
    assert "\n" not in str(no.value)
    names = load_sets(str(path), "few", 0)
    assert names.classes == tuple("0123456")
    assert odd_cells([f"{i}" for i in range(89)] + ["x"] * 11) == []
    assert odd_cells([f"{i}" for i in range(90)] + ["x"] * 10) == list(range(90, 100))
    assert odd_cells([f"{i % 20}" for i in range(99)] + ["x"]) == []


# -- data -------------------------------------------------------------------------------------------------------------


def test_a_table_becomes_numbers_by_its_training_part(tmp_path: Path) -> None:
    """Numeric columns have mean 0 and deviation 1 over the training rows alone, missing cells are their median, words
    are one column each; a constant is 0, and a column without values is left out.

    Broken on purpose: scikit-learn fitted on all rows.
    """
    path = write_csv(tmp_path / "t.csv")
    sets = load_table(path, "income", seed=3)
    assert sets.classes == ("high", "low")
    x = [data.tensors[0] for data in (sets.train, sets.validation, sets.test)]
    assert [len(part) for part in x] == [56, 12, 12]
    assert sets.shape == (5,)  # size, constant, and three colours
    assert torch.allclose(x[0][:, :2].mean(0), torch.zeros(2), atol=1e-6)
    assert x[0][:, 0].std(correction=0).item() == pytest.approx(1.0)
    assert abs(torch.cat(x)[:, 0].mean().item()) > 1e-4
    assert torch.equal(x[0][:, 2:].sum(1), torch.ones(56))
    cells = read_csv(path)
    assert cells.names == ("size", "colour", "empty", "constant", "income")
    sizes = numbers(cells.column("size"))
    assert sizes is not None
    rows = split(80, 3, np.array([c == "low" for c in cells.column("income")])).train
    missing = np.isnan(sizes[rows])
    filled = np.where(missing, np.nanmedian(sizes[rows]), sizes[rows])
    np.testing.assert_allclose(x[0][:, 0].numpy(), (filled - filled.mean()) / filled.std(), rtol=1e-4, atol=1e-5)
    assert missing.any()


def test_a_target_of_numbers_is_standardised(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "".join(f"{i % 7},{i * 0.5 if i % 5 else ''}\n" for i in range(50)))
    sets = load_table(path, "b", seed=0)
    y = sets.train.tensors[1]
    assert sets.classes is None
    assert sets.outputs == 1
    assert len(y) + len(sets.validation) + len(sets.test) == 40
    assert y.mean().item() == pytest.approx(0, abs=1e-6)
    restored = y.double().numpy() * sets.std + sets.mean
    np.testing.assert_allclose(restored * 2, np.round(restored * 2), atol=1e-4)
    assert load_table(path, "a", seed=0).classes == tuple(f"{i}" for i in range(7))


@pytest.mark.parametrize(
    ("text", "target", "said"),
    [
        ("a,b\n1,2\n", "c", "has no such column; did you mean|there are 'a', 'b'"),
        ("", "a", "no header"),
        ("a,a\n1,2\n", "a", "no header of different names"),
        ("a,b\n1,2\n1,2,3\n", "a", r"t\.csv:3: 3 cells, allowed: 2"),
        ("a;b\n1,5;2\n", "a", "the header has ';' between its names, allowed: commas"),
        ("a\tb\n1\t2\n", "a", r"the header has '\\t' between its names"),
        ("a,b\n1,?\n", "b", "every row misses it"),
        ("a,b\n" + "1,x\n" * 20, "b", "every row is 'x'"),
        ("a,b\n" + "1,x\n1,y\n" * 2, "b", "4 rows, allowed: at least 10"),
        ("a,b\n" + ",x\n,y\n" * 10, "b", "no column but 'b' has values"),
        ("a\xff\n", "a", "codec can't decode"),
    ],
)
def test_what_is_no_table(tmp_path: Path, text: str, target: str, said: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=said):
        load_table(path, target, 0)


def test_images_in_idx(tmp_path: Path) -> None:
    """One pair is split; train-* and t10k-* are taken as they are meant. The values are the pixels over 255.

    Broken on purpose: sizes read with the smaller byte first.
    """
    x, y = write_mnist(tmp_path)
    np.testing.assert_array_equal(read_idx(tmp_path / "t10k-images-idx3-ubyte.gz"), x)
    sets = load_idx(tmp_path, 0)
    assert sets.shape == (1, 8, 8)
    assert [len(d) for d in (sets.train, sets.validation, sets.test)] == [42, 9, 9]
    write_mnist(tmp_path, "train-", 100, end="")
    both = load_idx(tmp_path, 0)
    assert [len(d) for d in (both.train, both.validation, both.test)] == [84, 16, 60]
    torch.testing.assert_close(both.test.tensors[0][:, 0], torch.from_numpy(x / 255.0).float())
    assert torch.equal(both.test.tensors[1], torch.from_numpy(y))


def test_what_is_no_idx(tmp_path: Path) -> None:
    def wrong(said: str, act: Any) -> None:
        with pytest.raises(ValueError, match=said):
            act()

    wrong("allowed: one pair of files", lambda: load_idx(tmp_path, 0))
    write_mnist(tmp_path)
    path = tmp_path / "t10k-images-idx3-ubyte.gz"
    content = gzip.decompress(path.read_bytes())
    for changed, said in (
        (b"\x01" + content[1:], "not in IDX format"),
        (content[:-1], "do not hold"),
        (b"", "not in IDX"),
    ):
        path.write_bytes(gzip.compress(changed))
        wrong(said, lambda: read_idx(path))
    path.write_bytes(b"no gzip")
    wrong("t10k-images", lambda: read_idx(path))
    write_idx(path, np.zeros((5, 8, 8)))
    wrong("do not belong together", lambda: load_idx(tmp_path, 0))
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    wrong("has no t10k-labels", lambda: load_idx(tmp_path, 0))


def test_images_too_small_for_convolutions() -> None:
    with pytest.raises(ValueError, match="--model cnn takes images"):
        net_for("cnn", (64,), 10, 0)
