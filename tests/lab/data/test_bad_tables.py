"""Tables that are not as they should be: a clear line, or a result that one can stand by."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch

from torchnoise.lab.data import load


def write(tmp_path: Path, header: str, rows: list[str], name: str = "t.csv") -> str:
    path = tmp_path / name
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return str(path)


def refused(tmp_path: Path, header: str, rows: list[str], target: str = "y", name: str = "t.csv") -> str:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        load(write(tmp_path, header, rows, name), target=target)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("header", "rows", "target", "said"),
    [
        # what the first line may lack
        ("", [], "a", "t.csv: it is empty, and so the first line is no header of different names"),
        ("a,y", [], "y", "t.csv: a header without rows below it"),
        ("a,a", ["1,2"], "a", "t.csv: the first line is no header of different names: 'a' twice"),
        ("größe,größe,y", ["1,2,3"], "y", "no header of different names: 'größe' twice"),
        ("a;y", ["1,5;2"], "a", "the header has ';' between its names, allowed: commas"),
        ("a\ty", ["1\t2"], "a", r"the header has '\t' between its names, allowed: commas"),
        ("a,y", ["1,2"], "z", "--target z: t.csv has no such column; "),
        # rows
        ("a,y", ["1,2", "1,2,3"], "a", "t.csv:3: 3 cells, allowed: 2, as in the header"),
        ("a,y", ["1,2", "1"], "a", "t.csv:3: 1 cells, allowed: 2"),
        ("a,y", ["1,x", "2,y"] * 2, "y", "4 rows, allowed: at least 10, to be split"),
        # the target
        ("a,y", ["1,?"] * 20, "y", "--target y: every row misses it"),
        ("a,y", ["1,x", "2,x"] * 20, "y", "--target y: every row is 'x', so that there is nothing to learn"),
        ("a,y", ["1,7", "2,7"] * 20, "y", "--target y: every row is '7'"),
        ("a,y", ["1,1.5", "2,1.5"] * 20, "y", "--target y: every row is 1.5"),
        ("a,y", [f"{i},{i}.5" for i in range(30)] + ["1,inf"], "y", "--target y: 'inf' (row 31) is no number"),
        ("a,y", ["1,0.5", "2,1.5", "3,-inf"] * 10, "y", "--target y: '-inf' (row 3) is no number"),
        ("a,y", [f"{i},{i}.5" for i in range(30)] + ["1,x"], "y", "--target y: 'x' (row 31) is no number"),
        ("a,y", [f"{i % 3},name {i}" for i in range(30)], "y", "--target y: 30 classes in 30 rows, most of them once"),
        # what is learned from
        ("a,y", [",1", ",2"] * 20, "y", "no column but 'y' has values to learn from"),
        ("y", ["1", "2"] * 20, "y", "no column but 'y' has values to learn from"),
        ("id,y", [f"k{i},{i % 2}" for i in range(40)], "y", "no column but 'y' has values to learn from (id: as many"),
        ("a,y", [f"{i}e305,{i % 2}" for i in range(10, 40)], "y", "column 'a' has numbers too large for float32"),
    ],
)
def test_a_clear_line(tmp_path: Path, header: str, rows: list[str], target: str, said: str) -> None:
    assert said in refused(tmp_path, header, rows, target)


def test_a_tsv_with_commas(tmp_path: Path) -> None:
    assert "has ',' between its names, allowed: tabs" in refused(tmp_path, "a,y", ["1,2"], name="t.tsv")


def test_other_text_than_utf8(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"a\xff,y\n1,2\n")
    with pytest.raises(ValueError, match=r"t\.csv: .*can't decode"):
        load(str(tmp_path / "t.csv"), target="y")
    (tmp_path / "t.csv.gz").write_bytes(b"no gzip")
    with pytest.raises(ValueError, match=r"t\.csv\.gz: "):
        load(str(tmp_path / "t.csv.gz"), target="y")


def test_a_class_with_one_row(tmp_path: Path) -> None:
    """It is trained on, and that is told; the others keep their shares."""
    path = write(tmp_path, "a,y", [f"{i},{'ab'[i % 2]}" for i in range(60)] + ["5.5,c"])
    for seed in range(5):
        data, test = load(path, target="y", seed=seed)
        assert data.task.classes == ("a", "b", "c")
        assert (data.train.y == 2).sum() == 1
        part = test.open()
        assert sorted(part.y.tolist()) == [0] * 9 + [1] * 9
        assert "not in each of training, validation and test: the classes 'c'" in data.doubts


def test_ten_thousand_columns(tmp_path: Path) -> None:
    """Half of numbers, half of words: seconds, and inputs that fit into memory. (3 s on a busy core; 60 fail.)"""
    head = ",".join([f"n{i}" for i in range(5000)] + [f"w{i}" for i in range(5000)] + ["y"])
    rows = [
        ",".join([str((r * i) % 97) for i in range(5000)] + [f"c{(r * i) % 5}" for i in range(5000)] + [f"{r % 2}"])
        for r in range(40)
    ]
    began = time.perf_counter()
    data, _ = load(write(tmp_path, head, rows), target="y")
    assert time.perf_counter() - began < 60
    assert len(data.features) == data.train.x.shape[1]
    assert 5000 < len(data.features) < 30_000
    assert len(data.doubts) < 20
    assert all(len(doubt) < 400 for doubt in data.doubts)


def test_a_column_that_is_all_missing(tmp_path: Path) -> None:
    path = write(tmp_path, "a,gone,y", [f"{i % 9},NA,{i % 2}" for i in range(40)])
    data, _ = load(path, target="y")
    assert data.features == ("a",)
    assert data.said.endswith("left out: gone (all missing)")


def test_mixed_types(tmp_path: Path) -> None:
    """A column of numbers and words is taken as words, and told with the row."""
    path = write(tmp_path, "a,y", [f"{i * 0.5 if i % 3 else 'about ten'},{i % 2}" for i in range(90)])
    data, _ = load(path, target="y")
    assert "column 'a': 'about ten' (row 1) is no number, so it is taken as words (30 of 90 cells)" in data.doubts
    assert "a=about ten" in data.features


def test_unicode_headers(tmp_path: Path) -> None:
    path = write(tmp_path, "größe,цвет,目的", [f"{i % 9},{'красный' if i % 3 else 'синий'},{i % 2}" for i in range(40)])
    data, _ = load(path, target="目的")
    assert data.features == ("größe", "цвет=красный", "цвет=синий")


def test_a_target_that_misses_leaves_the_row_out(tmp_path: Path) -> None:
    """NaN is missing, too.

    Broken on purpose: NaN taken as a class of its own.
    """
    path = write(tmp_path, "a,y", [f"{i % 9},{['x', 'z', '', 'NaN'][i % 4]}" for i in range(80)])
    data, test = load(path, target="y")
    assert data.task.classes == ("x", "z")
    assert len(data.train) + len(data.validation) + test.size == 40
    assert "40 rows (40 more without a target)" in data.said


def test_identifiers_are_left_out_and_told(tmp_path: Path) -> None:
    rows = [f"user-{i},{i + 1},{i % 9},{i % 2}" for i in range(60)]
    data, _ = load(write(tmp_path, "id,row,a,y", rows), target="y")
    assert data.features == ("row", "a")
    assert "left out: id (a word for each row)" in data.said
    assert any(doubt.startswith("left out, as nearly every row has a word of its own") for doubt in data.doubts)
    assert "column 'row' only counts the rows: if that says nothing about them, take it out" in data.doubts


@pytest.mark.parametrize(
    ("copy", "leak"),
    [
        (lambda i: f"is {i % 3}", True),  # another word for each class
        (lambda i: str(i % 3), True),
        (lambda i: f"is {i % 6}", False),  # more words than classes
        (lambda i: str((i + i // 50) % 3), False),  # not in every row
    ],
)
def test_a_column_that_equals_the_target(tmp_path: Path, copy, leak: bool) -> None:  # type: ignore[no-untyped-def]
    path = write(tmp_path, "a,copy,y", [f"{(i * 7) % 11},{copy(i)},k{i % 3}" for i in range(60)])
    data, _ = load(path, target="y")
    told = "column 'copy' says in every row what the target 'y' says, so that there may be nothing to learn (a leak)"
    assert (told in data.doubts) is leak


def test_a_number_that_equals_the_target_in_another_unit(tmp_path: Path) -> None:
    rows = [f"{(i * 7) % 11},{32 + 1.8 * i * 0.37},{i * 0.37}" for i in range(60)]
    data, _ = load(write(tmp_path, "a,fahrenheit,celsius", rows), target="celsius")
    assert any("'fahrenheit' says in every row what the target 'celsius' says" in doubt for doubt in data.doubts)
    assert not any("'a'" in doubt for doubt in data.doubts)


def test_duplicates_across_parts_are_counted(tmp_path: Path) -> None:
    """Against counting pair by pair.

    Broken on purpose: duplicates within the test part counted.
    """
    rows = [f"{i * 0.37},{i * i},{i % 2}" for i in range(30)]
    path = write(tmp_path, "a,b,y", rows + rows[:15])
    data, test = load(path, target="y")
    part = test.open()
    count = sum(any(torch.equal(a, b) for b in data.train.x) for a in part.x)
    assert count > 0
    told = [d for d in data.doubts if "test examples are also among those trained on" in d]
    assert told[0].startswith(f"{count} of {len(part)} test examples are also among those trained on")
    clean, _ = load(write(tmp_path, "a,b,y", rows), target="y")
    assert not any("test examples" in doubt for doubt in clean.doubts)
