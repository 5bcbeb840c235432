"""State as JSON and tensors, checkpoints on disk, histories as tables, dictionaries and figures."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import torchnoise as tn
from torchnoise.training import checkpoint
from torchnoise.training.progress import Bar, Progress, progress_for
from torchnoise.training.states import pack, unpack

LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
NESTS = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text() | st.integers() | st.just("!"), inner)
    ),
    max_leaves=12,
)


def there_and_back(value: Any) -> Any:
    tree, tensors = pack(value)
    return unpack(json.loads(json.dumps(tree, allow_nan=False)), tensors)


@given(NESTS)
def test_values_come_back_as_they_were(value: Any) -> None:
    """Keys of any kind, tuples, infinities. Broken on purpose: tuples as lists; a dict's own "!" taken for a mark."""
    assert repr(there_and_back(value)) == repr(value)


def test_tensors_and_arrays_come_back() -> None:
    """Every dtype, tied tensors kept once, views apart from what they are views of.

    Broken on purpose: tensors that share memory with the model kept by reference.
    """
    base = torch.arange(6.0)
    state = {0: base, "same": base, "part": base[::2], "half": base.bfloat16(), "flag": torch.tensor(True)}
    tree, tensors = pack(state)
    assert len(tensors) == 4
    base += 1
    back = unpack(tree, tensors)
    assert torch.equal(back[0], torch.arange(6.0))
    assert torch.equal(back["part"], torch.tensor([0.0, 2.0, 4.0]))
    assert back["half"].dtype == torch.bfloat16
    array = np.random.MT19937(0).state["state"]["key"]
    again = there_and_back({"key": array, "counts": Counter({3: 2})})
    assert np.array_equal(again["key"], array)
    assert again["key"].dtype == array.dtype
    assert again["counts"] == Counter({3: 2})
    assert isinstance(again["counts"], Counter)
    with pytest.raises(TypeError, match=r"checkpoint: a\.b is object, allowed"):
        pack({"a": {"b": object()}})


def test_checkpoints_are_numbered_kept_twice_and_free_of_pickle(tmp_path: Path) -> None:
    """What a killed run left unfinished is no checkpoint, and is taken away."""
    for i in range(4):
        checkpoint.save(tmp_path, {"i": i, "tensor": torch.tensor(float(i))})
    assert list(checkpoint.numbered(tmp_path)) == [3, 4]
    (tmp_path / ".writing-checkpoint-00000005").mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    found = checkpoint.load(tmp_path)
    assert found is not None
    assert found[0] == {"i": 3, "tensor": torch.tensor(3.0)}
    checkpoint.tidy(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint-00000003", "checkpoint-00000004", "notes.txt"]
    checkpoint.tidy(tmp_path, everything=True)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]
    assert checkpoint.load(tmp_path) is None


def test_files_are_on_the_disk_before_the_folder_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken on purpose: the rename before the files' fsync, which a lost power supply would turn into empty files."""
    order: list[str] = []
    sync, rename = os.fsync, os.rename
    monkeypatch.setattr(os, "fsync", lambda d: (order.append("sync"), sync(d))[1])
    monkeypatch.setattr(os, "rename", lambda a, b: (order.append("rename"), rename(a, b))[1])
    checkpoint.save(tmp_path, {"i": 0})
    assert order == ["sync"] * 4 + ["rename", "sync"]


# -- History ----------------------------------------------------------------------------------------------------------


def history() -> tn.History:
    made = tn.History(["Gaussian(0.1) at Inputs()"], "val_loss", "min")
    for i, loss in enumerate((0.9, 0.5, math.nan, 0.7)):
        made.rows.append(
            {
                "train_loss": 1.0 / (i + 1), "val_loss": loss, "val_acc": 0.25 * i, "strength": [0.1 * i],
                "grad_norm": math.inf, "lr": 0.1, "seconds": 1.25,
            }
        )  # fmt: skip
    return made


def test_a_history_prints_itself() -> None:
    """The table as it is."""
    assert str(history()) == (
        "epoch  train_loss  val_loss  val_acc  grad_norm  lr   seconds  strength 0\n"
        "1      1           0.9       0        inf        0.1  1.2      0\n"
        "2 *    0.5         0.5       0.25     inf        0.1  1.2      0.1\n"
        "3      0.3333      nan       0.5      inf        0.1  1.2      0.2\n"
        "4      0.25        0.7       0.75     inf        0.1  1.2      0.3\n"
        "strength 0: Gaussian(0.1) at Inputs()\n"
        "* best val_loss"
    )
    assert repr(history()) == "<History of 4 epochs, best val_loss 0.5>"
    assert str(tn.History()) == "epoch"


def test_a_history_survives_json() -> None:
    """Broken on purpose: not-a-number written as JavaScript's NaN, which is no JSON."""
    made = history()
    text = json.dumps(made.to_dict(), allow_nan=False)
    again = tn.History.from_dict(json.loads(text))
    assert str(again) == str(made)
    assert again.rows[0]["grad_norm"] == math.inf
    assert made.best_epoch == again.best_epoch == 1
    assert made.waited == 2
    with pytest.raises(KeyError, match="there are 'train_loss'"):
        made["loss"]


def test_a_history_without_numbers_has_no_best() -> None:
    made = tn.History([], "val_loss", "max")
    assert (made.best, made.best_epoch, made.waited) == (None, None, 0)
    made.rows.append({"train_loss": 1.0, "val_loss": math.nan})
    assert (made.best, made.waited) == (None, 1)


def test_a_history_plots_itself(tmp_path: Path) -> None:
    figure = history().plot(tmp_path / "history.png")
    assert (tmp_path / "history.png").read_bytes().startswith(b"\x89PNG")
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[:2] == ["loss", "val_acc"]
    assert len(titles) == 4
    with pytest.raises(ValueError, match="no epoch"):
        tn.History().plot()


# -- progress ---------------------------------------------------------------------------------------------------------


def test_the_bar_shows_in_a_terminal_only(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert type(progress_for(True, True, 2, 3)) is Progress
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert type(progress_for(False, True, 2, 3)) is type(progress_for(True, False, 2, 3)) is Progress
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    bar = progress_for(True, True, 2, 3)
    assert isinstance(bar, Bar)
    with bar:
        bar.epoch(1, 1)
        bar.stepped(torch.tensor(6.0), 4)
        bar.finished({"val_loss": 0.5})
        bar._bar.refresh()
    shown = capsys.readouterr().err
    assert "epoch 2/2" in shown
    assert "loss 1.5" in shown
