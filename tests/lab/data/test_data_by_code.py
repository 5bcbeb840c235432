"""`package.module:function`: data that a function of the user's gives."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from torchnoise.lab.data import IMAGE, TABLE, TEXT, load

CODE = """
import numpy as np
import torch
from torchnoise.lab.data import TABLE, Data, Part, SealedTest
from torchnoise.lab.task import Task

X, Y = np.arange(120.0).reshape(60, 2), np.arange(60) % 3

def arrays(): return X, Y
def tensors(): return torch.linspace(0, 1, 960).reshape(60, 1, 4, 4).requires_grad_(), torch.arange(60) % 3
def lists(): return X.tolist(), ["a", "b"] * 30
def texts(): return ["a fine film", "a poor one"] * 30, [1, 0] * 30
def by_name(): return {"x": X, "y": Y}
def columns(): return {"size": X[:, 0], "colour": ["red", "blue", None] * 20, "y": Y}
def part(begin, end): return Part(torch.from_numpy(X[begin:end]).float(), torch.from_numpy(Y[begin:end]))
def data(): return Data("mine", TABLE, Task(("0", "1", "2")), part(0, 40), part(40, 50), ("a", "b"))
def data_and_part(): return data(), part(50, 60)
def data_and_test(): return data(), SealedTest(part(50, 60))
def data_and_more(): return data(), 5

class Frame:
    columns = ["size", "y"]
    def __getitem__(self, name): return X[:, 0] if name == "size" else Y
def frame(): return Frame()

def needs(path): return X, Y
def fails(): raise KeyError("two\\nlines")
def nothing(): return None
def ragged(): return [[1, 2], [3]] * 10, [0, 1] * 10
number = 5
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mydata.py").write_text(CODE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mydata", raising=False)


@pytest.mark.parametrize(
    ("name", "target", "kind", "shape"),
    [
        ("arrays", None, TABLE, (2,)),
        ("tensors", None, IMAGE, (1, 4, 4)),
        ("lists", None, TABLE, (2,)),
        ("texts", None, TEXT, (0,)),
        ("by_name", None, TABLE, (2,)),
        ("columns", "y", TABLE, (4,)),
        ("frame", "y", TABLE, (1,)),
    ],
)
def test_what_a_function_may_give(name: str, target: str | None, kind: str, shape: tuple[int, ...]) -> None:
    data, test = load(f"mydata:{name}", target=target)
    assert (data.kind, data.shape) == (kind, shape)
    assert [len(data.train), len(data.validation), test.size] == [30, 12, 18]
    assert data.name == f"mydata:{name}"


def test_data_that_are_split_already() -> None:
    """The test part beside them is kept; without one it is taken from the training part.

    Broken on purpose: the test's rows left in the training part.
    """
    for name in ("data_and_part", "data_and_test"):
        data, test = load(f"mydata:{name}")
        assert (len(data.train), len(data.validation), test.size) == (40, 10, 10)
        assert test.open().x[:, 0].tolist() == [100.0 + 2 * i for i in range(10)]
    data, test = load("mydata:data")
    assert (len(data.train), len(data.validation), test.size) == (25, 10, 15)
    assert sorted([*data.train.x[:, 0].tolist(), *test.open().x[:, 0].tolist()]) == [2.0 * i for i in range(40)]
    assert "the test part at random" in data.split_by


@pytest.mark.parametrize(
    ("name", "flags", "said"),
    [
        ("needs", {}, "allowed: a function without arguments, which returns x and y"),
        ("number", {}, "allowed: a function without arguments"),
        ("fails", {}, "calling it gave KeyError: 'two"),
        ("nothing", {}, "it returns NoneType, allowed: x and y"),
        ("ragged", {}, "rows of different lengths, allowed: rows of one shape"),
        ("array", {}, "'mydata' has no 'array'; did you mean 'arrays'"),
        ("columns", {}, "--target names the column"),
        ("arrays", {"target": "y"}, "--target names the column"),
        ("data", {"group": "y"}, "--group names the column"),
        ("data_and_more", {}, "beside Data it returns int, allowed: a Part for the test"),
    ],
)
def test_what_is_wrong_is_one_line(name: str, flags: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said) as error:
        load(f"mydata:{name}", **flags)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)


def test_a_module_that_is_not_there() -> None:
    with pytest.raises(
        ValueError, match="--data nowhere_at_all:x: importing 'nowhere_at_all' gave ModuleNotFoundError"
    ):
        load("nowhere_at_all:x")
