"""CSV, TSV and Parquet files, as tables of cells."""

from __future__ import annotations

import gzip
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from torchnoise.lab.data.delimited import has_header, part_files, read_parts, read_table
from torchnoise.lab.data.parquet import read_parquet
from torchnoise.lab.data.split import TEST, TRAIN, VALIDATION
from torchnoise.lab.data.table import Table, table_of


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    content = text.encode("utf-8-sig")
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.tsv", "t.tsv.gz", "T.TSV"])
def test_the_same_table_in_each_form(tmp_path: Path, name: str) -> None:
    rows = [["größe", "naïve 名", "c"], ["1.5", " x ", "?"], ["NA", "ü", "3"]]
    separator = "\t" if "tsv" in name.lower() else ","
    table = read_table(write(tmp_path, name, "\r\n".join(separator.join(row) for row in rows) + "\r\n\r\n"))
    assert table.names == ("größe", "naïve 名", "c")
    assert table.columns == (["1.5", None], ["x", "ü"], [None, "3"])
    assert table.at == (1, 2)


def test_quotes(tmp_path: Path) -> None:
    """In CSV they hold commas and lines together; in TSV a text may begin with one, and a quoted cell is unquoted.

    Broken on purpose: TSV read with the quotes of CSV, which swallows the lines up to the next quote.
    """
    table = read_table(write(tmp_path, "t.csv", 'a,b\n"x, ""y""\nz",1\n'))
    assert table.columns == (['x, "y"\nz'], ["1"])
    table = read_table(
        write(tmp_path, "t.tsv", 'a\tb\n"good" he said\t1\n"never\t0\n"all ""of"" it"\t1\n"a" and "b"\t0\n')
    )
    assert table.columns[0] == ['"good" he said', '"never', 'all "of" it', '"a" and "b"']


@pytest.mark.parametrize(
    ("first", "second", "target", "header"),
    [
        ("text,label", "fine,1", "label", True),
        ("text,label", "fine,1", None, True),
        ("text,label", "fine,1", "2", True),  # a word above numbers
        ("a poor film,0", "a fine film,1", "2", False),
        ("pos,a fine film", "pos,a better film", "1", False),  # a word that comes again
        ("kind,a fine film", "pos,a better film", "1", True),
        ("x,2", "1,2", "2", True),  # a column of that name
        ("a,b", "1,2", "7", True),  # there is none, which is said later
    ],
)
def test_whether_there_is_a_header(first: str, second: str, target: str | None, header: bool) -> None:
    rows = [line.split(",") for line in (first, second, second)]
    assert has_header(rows, target) is header


def test_a_table_without_a_header(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, "t.tsv", "a fine film\t1\na poor one\t0\n"), "2")
    assert table.names == ("column 1", "column 2")
    assert table.said == "without a header"
    assert len(table) == 2
    assert table.named("target", "2") == "column 2"
    with pytest.raises(ValueError, match=r"--text 3: t\.tsv has no such column; .*number from 1"):
        table.named("text", "3")


def test_files_of_parts(tmp_path: Path) -> None:
    """Each row keeps its file's part; columns have to agree."""
    for name, rows in (("train", 3), ("dev", 2), ("test", 1)):
        write(tmp_path, f"{name}.csv", "a,y\n" + f"1,{name}\n" * rows)
    table = read_parts(part_files(tmp_path), "y")
    assert table.given is not None
    assert sorted(table.given.tolist()) == [TRAIN] * 3 + [VALIDATION] * 2 + [TEST]
    by_name = {"train": TRAIN, "dev": VALIDATION, "test": TEST}
    assert [by_name[str(c)] for c in table.column("y")] == table.given.tolist()
    assert table.take(np.array([5])).given is not None
    write(tmp_path, "test.csv", "b,y\n1,2\n")
    with pytest.raises(ValueError, match=r"test\.csv: other columns than train\.csv"):
        read_parts(part_files(tmp_path), "y")
    write(tmp_path, "test.tsv", "b\ty\n1\t2\n")
    with pytest.raises(ValueError, match=r"test\.csv and test\.tsv, allowed: one of them"):
        part_files(tmp_path)


def test_values_of_any_kind_are_cells() -> None:
    values: list[Any] = [None, float("nan"), 0.1, 3, True, "  x ", "NA", b"\xc3\xbc", np.float32(0.5), np.int64(7)]
    values += [date(2024, 1, 31), datetime(2024, 1, 31, 12), np.array(2.5), np.datetime64("2024-01-31")]
    found = table_of("t", {"a": values}).column("a")
    wanted = [None, None, "0.1", "3", "True", "x", None, "ü", "0.5", "7", "2024-01-31", "2024-01-31T12:00:00", "2.5"]
    assert found == [*wanted, "2024-01-31"]
    table = table_of("t", {"a": [1, 2], "b": [[1], [2]], "c": [np.zeros(2), np.zeros(2)]})
    assert table.names == ("a",)
    assert table.doubts == ("left out, as they hold more than one value a row: 'b', 'c'",)
    with pytest.raises(ValueError, match="columns of different lengths: 1, 2"):
        table_of("t", {"a": [1], "b": [1, 2]})


def test_rows_that_know_a_column_keep_their_numbers() -> None:
    table = Table("t", ("a", "b"), (["1", None, "3"], ["x", "y", "z"]), (1, 2, 3), given=np.array([0, 0, 2]))
    kept = table.knowing("a")
    assert kept.columns == (["1", "3"], ["x", "z"])
    assert kept.at == (1, 3)
    assert kept.given is not None
    assert kept.given.tolist() == [0, 2]


def test_parquet(tmp_path: Path) -> None:
    """Numbers keep every digit, dates are dates, nulls are missing; lists are left out. No such file is one line."""
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {
        "x": arrow.array([0.1, None, 1 / 3]),
        "n": arrow.array([1, 2, None]),
        "when": arrow.array([datetime(2024, 1, 31, 12), None, datetime(2024, 2, 1)], arrow.timestamp("ns")),
        "word": arrow.array(["a", None, "b"]).dictionary_encode(),
        "list": arrow.array([[1], [2], [3]]),
        "__index_level_0__": arrow.array([5, 6, 7]),
    }
    path = tmp_path / "t.parquet"
    parquet.write_table(arrow.table(columns), path)
    table = read_parquet(path)
    assert table.names == ("x", "n", "when", "word")
    assert table.columns[0] == ["0.1", None, repr(1 / 3)]
    assert table.columns[1] == ["1", "2", None]
    assert table.columns[2] == ["2024-01-31T12:00:00", None, "2024-02-01T00:00:00"]
    assert table.columns[3] == ["a", None, "b"]
    path.write_bytes(b"no table")
    for wrong in (path, tmp_path / "none.parquet"):
        with pytest.raises(ValueError, match="parquet: ") as error:
            read_parquet(wrong)
        assert "\n" not in str(error.value)


def test_parquet_without_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ValueError, match=r'pip install "torchnoise\[parquet\]"'):
        read_parquet(tmp_path / "t.parquet")
