"""Tables as people have them, through a whole comparison: a sensible result, or one clear line."""

import csv
import random

import pytest

from torchnoise.cli import main
from torchnoise.lab.compare import compare
from torchnoise.lab.prepare import prepare
from torchnoise.lab.settings import Settings, Source

ROWS = 120


def numbers(seed, count=ROWS):
    draw = random.Random(seed)
    return [f"{draw.gauss(0, 1):.3f}" for _ in range(count)]


def words(seed, allowed, count=ROWS):
    draw = random.Random(seed)
    return [draw.choice(allowed) for _ in range(count)]


A, B, Y = numbers(0), numbers(1), words(2, ["no", "yes"])
DATES = [f"2024-{1 + i % 12:02d}-{1 + i % 28:02d}" for i in range(ROWS)]

SENSIBLE = {
    "one class with one row": {"a": A, "y": [*Y[:-1], "once"]},
    "10,000 columns": {**{f"c{i}": numbers(i) for i in range(200)}, **{f"k{i}": A for i in range(9800)}, "y": Y},
    "a column all missing": {"a": A, "gone": [""] * ROWS, "y": Y},
    "dates": {"when": DATES, "a": A, "y": Y},
    "mixed types": {"a": [*A[:60], *["n/a"] * 20, *A[80:]], "b": [*B[:-1], "many"], "y": Y},
    "unicode headers": {"größe": A, "年齢": B, "🎯": Y},
}


def write(path, columns):
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(columns)
        table.writerows(zip(*columns.values(), strict=True))
    return path


@pytest.mark.parametrize("name", SENSIBLE)
def test_a_sensible_result(name, engine, tmp_path):
    path = write(tmp_path / "table.csv", SENSIBLE[name])
    target = list(SENSIBLE[name])[-1]
    source = Source(str(path), target=target)
    settings = Settings(source, noises=("dropout",), seeds=2, epochs=1, rounds=(1,), rungs=2, rise=None, combine=False)
    results, _ = compare(settings, prepare(settings), tmp_path / "out", engine)
    assert sum(results.data.sizes.values()) in (ROWS, ROWS - 1)
    assert results.verdict.sentence
    assert results.noises[0].difference is not None


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"a": A, "y": ["yes"] * ROWS}, "every row is 'yes'"),
        ({"a": [], "y": []}, "a header without rows"),
        ({"a": A, "y": [""] * ROWS}, "--target y"),
        ({"y": Y}, "y"),
    ],
    ids=["constant target", "no rows", "target missing", "no other column"],
)
def test_one_clear_line(columns, says, capsys, tmp_path):
    path = write(tmp_path / "table.csv", columns)
    flags = ["--data", str(path), "--target", "y", "--jobs", "1", "--quiet", "--out", str(tmp_path / "out")]
    assert main(["compare", *flags]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "out").exists()
