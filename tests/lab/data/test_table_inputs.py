"""Tables as numbers: what is learned of the training rows, and from nothing else."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from statistics import median

import numpy as np
import pytest
import torch
from data_files import write_csv

from torchnoise.lab.data import TABLE, TEXT, Data, Part, load
from torchnoise.lab.data.columns import odd_cells
from torchnoise.lab.data.features import RARE


def write(path: Path, columns: dict[str, list[object]]) -> str:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return str(path)


def opened(data: str, **how: object) -> tuple[Data, list[Part]]:
    found, test = load(data, **how)  # type: ignore[arg-type]
    return found, [found.train, found.validation, test.open()]


def test_a_table_becomes_numbers_by_its_training_part(tmp_path: Path) -> None:
    """The slow way, row by row: numbers less the training rows' mean and in their standard deviations, with their
    median where a cell is missing; words one input each. A row is known by the number in `id`, in no rows twice.

    Broken on purpose: scikit-learn fitted on all rows; the deviation of the sample in place of the population's.
    """
    draw = np.random.default_rng(1)
    count = 60
    ids = draw.permutation(count) * 1.5  # a number by which each row is found again
    sizes = [None if i % 7 == 0 else float(v) for i, v in enumerate(draw.normal(50, 10, count).round(3))]
    colours = [["red", "blue", "?"][k] for k in draw.integers(0, 3, count)]
    path = write(
        tmp_path / "t.csv",
        {
            "id": list(ids),
            "size": ["" if s is None else s for s in sizes],
            "colour": colours,
            "same": [1] * count,
            "empty": [""] * count,
            "y": ["ab"[int(i > 40)] for i in ids],
        },
    )
    data, parts = opened(path, target="y", seed=3)
    assert data.kind == TABLE
    assert data.features == ("id", "size", "same", "colour=(missing)", "colour=blue", "colour=red")
    assert data.task.classes == ("a", "b")
    assert [len(part) for part in parts] == [30, 12, 18]
    # the training rows' ids come back from their standardised values, which keep their order
    order = {}
    everything = torch.cat([part.x[:, 0] for part in parts])
    for value, original in zip(everything.sort().values.tolist(), sorted(ids), strict=True):
        order[value] = int(np.flatnonzero(ids == original)[0])
    rows = [[order[v] for v in part.x[:, 0].tolist()] for part in parts]
    assert sorted(row for part in rows for row in part) == list(range(count))
    known = [float(s) for r in rows[0] if (s := sizes[r]) is not None]
    filled = [float(s) if (s := sizes[r]) is not None else median(known) for r in rows[0]]
    mean = sum(filled) / len(filled)
    std = math.sqrt(sum((v - mean) ** 2 for v in filled) / len(filled))
    for part, of_part in zip(parts, rows, strict=True):
        for x, y, row in zip(part.x.tolist(), part.y.tolist(), of_part, strict=True):
            size = sizes[row]
            assert x[1] == pytest.approx(((median(known) if size is None else size) - mean) / std, abs=1e-5)
            assert x[2] == 0.0
            assert x[3:] == [float(colours[row] == word) for word in ("?", "blue", "red")]
            assert y == int(ids[row] > 40)


def test_a_target_of_numbers_is_standardised(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "".join(f"{i % 7},{i * 0.5 if i % 5 else ''}\n" for i in range(50)))
    data, parts = opened(str(path), target="b")
    y = data.train.y
    assert data.task.classes is None
    assert y.dtype == torch.float32
    assert sum(map(len, parts)) == 40
    assert y.mean().item() == pytest.approx(0, abs=1e-6)
    assert y.std(correction=0).item() == pytest.approx(1, abs=1e-6)
    restored = torch.cat([part.y for part in parts]).double().numpy() * data.task.std + data.task.mean
    np.testing.assert_allclose(sorted(restored), [i * 0.5 for i in range(50) if i % 5], atol=1e-4)
    assert load(str(path), target="a")[0].task.classes == tuple(f"{i}" for i in range(7))


def test_classes_of_numbers_are_in_their_order(tmp_path: Path) -> None:
    path = write(
        tmp_path / "t.csv", {"a": [i % 9 for i in range(60)], "y": [[2, 10, "10.0"][i % 3] for i in range(60)]}
    )
    assert load(path, target="y")[0].task.classes == ("2", "10")


def test_rare_categories_share_an_input(tmp_path: Path) -> None:
    """Of 150 words that come twice or more, 99 have an input of their own, and the others one together."""
    words = [f"w{i % 150}" for i in range(450)]
    path = write(tmp_path / "t.csv", {"word": words, "y": [i % 2 for i in range(450)]})
    data, parts = opened(path, target="y")
    assert len(data.features) == 100
    assert data.features[-1] == f"word={RARE}"
    assert all(torch.equal(part.x.sum(1), torch.ones(len(part))) for part in parts)


def test_categories_are_those_of_the_training_rows(tmp_path: Path) -> None:
    """Of 20 words that come three times each, some are in no training row: none of them is an input, and where they
    come all inputs are 0.

    Broken on purpose: categories of all rows.
    """
    path = write(tmp_path / "t.csv", {"word": [f"w{i % 20}" for i in range(60)], "y": [i % 2 for i in range(60)]})
    data, parts = opened(path, target="y")
    assert 10 < len(data.features) < 20
    assert torch.equal(data.train.x.max(0).values, torch.ones(len(data.features)))
    assert {float(part.x.sum(1).min()) for part in parts[1:]} == {0.0}


def test_dates_are_days_and_places_in_the_year(tmp_path: Path) -> None:
    when = [f"{2000 + i % 23}-{1 + i % 12:02}-{1 + i % 28:02}" for i in range(80)]
    data, _ = opened(write(tmp_path / "t.csv", {"when": when, "y": [i % 2 for i in range(80)]}), target="y")
    assert data.features[0] == "when (days)"
    assert len(data.features) == 5
    assert "1 of dates (days, and where they lie in the year and the week)" in data.said
    assert data.train.x.mean(0).abs().max() < 1e-5
    swapped = [f"{1 + i % 12:02}/{1 + i % 11:02}/2024" for i in range(80)]
    data, _ = opened(write(tmp_path / "t.csv", {"when": swapped, "y": [i % 2 for i in range(80)]}), target="y")
    assert data.doubts[0] == "column 'when': dates are taken as day/month/year, though they may be otherwise"


def test_free_text_beside_other_columns_and_alone(tmp_path: Path) -> None:
    """Beside others it is TF-IDF; alone, or by --text, it stays text."""
    texts = [f"the {['fine', 'poor'][i % 2]} film number {i} was long" for i in range(60)]
    both = write(tmp_path / "both.csv", {"review": texts, "stars": list(range(60)), "y": [i % 2 for i in range(60)]})
    data, _ = opened(both, target="y")
    assert data.kind == TABLE
    assert "review: fine" in data.features
    assert data.features[0] == "stars"
    assert "1 of free text" in data.said
    for how in ({"text": "review"}, {"text": "1"}):
        named, parts = opened(both, target="y", **how)
        assert named.kind == TEXT
        assert "left out: stars" in named.said
        assert named.train.x.shape == (30, 0)
        assert sorted(t for part in parts for t in part.texts or ()) == sorted(texts)
        for part in parts:
            assert [int("poor" in text) for text in part.texts or ()] == part.y.tolist()
    alone = write(tmp_path / "alone.csv", {"review": texts, "y": [i % 2 for i in range(60)]})
    assert load(alone, target="y")[0].kind == TEXT
    few = write(tmp_path / "few.csv", {"word": ["red", "blue"] * 30, "y": [i % 2 for i in range(60)]})
    assert load(few, target="y")[0].kind == TABLE


def test_groups_and_times_split_and_are_no_inputs(tmp_path: Path) -> None:
    columns = {
        "x": [i % 13 for i in range(80)],
        "patient": [f"p{i % 16}" if i % 16 else "" for i in range(80)],
        "when": [f"2024-{1 + i // 20:02}-{1 + i % 20:02}" if i else "" for i in range(80)],
        "y": [i % 2 for i in range(80)],
    }
    path = write(tmp_path / "t.csv", columns)
    data, test = load(path, target="y", group="patient")
    assert data.split_by == "by group 'patient'"
    assert "left out: patient (splits the rows)" in data.said
    assert len(data.train) + len(data.validation) + test.size == 80
    assert not any("patient" in name for name in data.features)
    data, test = load(path, target="y", time="when")
    assert data.split_by == "by time 'when', the newest for the test"
    assert data.said.startswith("t.csv: 79 rows (1 more without a time); y is one of 2 classes")
    assert len(data.train) + len(data.validation) + test.size == 79
    assert not any("when" in name for name in data.features)
    with pytest.raises(ValueError, match="--time patient: 'p1' is one of its cells, allowed: dates, or numbers"):
        load(path, target="y", time="patient")
    with pytest.raises(ValueError, match="--target, --group: allowed: different columns"):
        load(path, target="y", group="y")
    two = write(tmp_path / "two.csv", {**columns, "half": [i % 2 for i in range(80)]})
    with pytest.raises(ValueError, match="--group half: 2 different values, allowed: at least 3, one for each part"):
        load(two, target="y", group="half")


def test_cells_that_are_odd_among_numbers() -> None:
    assert odd_cells([f"{i}" for i in range(89)] + ["x"] * 11) == []
    assert odd_cells([f"{i}" for i in range(90)] + ["x"] * 10) == list(range(90, 100))
    assert odd_cells([f"{i % 20}" for i in range(99)] + ["x"]) == []


def test_how_a_table_was_read_is_said(tmp_path: Path) -> None:
    data, _ = load(str(write_csv(tmp_path / "t.csv")), target="income")
    assert data.said == (
        "t.csv: 80 rows; income is one of 2 classes; 2 numeric columns, 1 of words (-> 5 inputs); left out: empty (all "
        "missing)"
    )
    assert data.name == str(tmp_path / "t.csv")
    assert data.split_by == "at random, with each class's share"
    limited, test = load(str(tmp_path / "t.csv"), target="income", limit=40)
    assert limited.said.endswith("; 40 of them, at random")
    assert len(limited.train) + len(limited.validation) + test.size == 40
