"""What `load` promises of all data: flags, seeds, limits, the sealed test."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from torchnoise.lab.data import Data, Part, load

Loaded = tuple[Data, list[Part]]


def opened(data: str, **how: object) -> Loaded:
    found, test = load(data, **how)  # type: ignore[arg-type]
    return found, [found.train, found.validation, test.open()]


def same(one: Loaded, other: Loaded) -> bool:
    return all(
        torch.equal(a.x, b.x) and torch.equal(a.y, b.y) and a.texts == b.texts
        for a, b in zip(one[1], other[1], strict=True)
    )


def files(folder: Path) -> dict[str, dict[str, object]]:
    """Data of each kind that needs no library, and the flags with which they are loaded."""
    rows = [f"{i * 0.37},{'red' if i % 3 else 'blue'},g{i % 12},{i % 2}" for i in range(90)]
    (folder / "t.csv").write_text("\n".join(["a,b,c,y", *rows]))
    texts = [f"a {['poor', 'fine'][i % 2]} film that I saw {i} times\t{i % 2}" for i in range(60)]
    (folder / "t.tsv").write_text("\n".join(texts))
    table = str(folder / "t.csv")
    return {
        "digits": {},
        "sklearn:diabetes": {},
        table: {"target": "y"},
        f"{table} ": {"target": "y", "group": "c"},
        f"{table}  ": {"target": "y", "time": "a"},
        str(folder / "t.tsv"): {"target": "2"},
    }


@pytest.mark.parametrize("limit", [None, 50])
def test_the_same_seed_gives_the_same_and_another_another(tmp_path: Path, limit: int | None) -> None:
    for name, how in files(tmp_path).items():
        data = name.strip()
        first = opened(data, seed=1, limit=limit, **how)
        assert same(first, opened(data, seed=1, limit=limit, **how)), name
        assert not same(first, opened(data, seed=2, limit=limit, **how)), name
        assert load(data, seed=-1, **how)[0].train.y.numel() > 0  # type: ignore[arg-type]
        if limit is not None:
            assert sum(len(part) for part in first[1]) == limit
        found = first[0]
        assert found.fingerprint() == load(data, seed=1, limit=limit, **how)[0].fingerprint()  # type: ignore[arg-type]
        assert found.said
        assert found.features == () or len(found.features) == found.shape[0]


def test_a_limit_keeps_the_shares_of_classes_and_of_given_parts(tmp_path: Path) -> None:
    for part, count in (("train", 100), ("dev", 20), ("test", 80)):
        rows = [f"{part} {i},{int(i % 10 == 0)}" for i in range(count)]
        (tmp_path / f"{part}.csv").write_text("\n".join(["x,y", *[row.replace(" ", "0.") for row in rows]]))
    for part in ("train", "dev", "test"):
        text = (tmp_path / f"{part}.csv").read_text().replace(part, "")
        (tmp_path / f"{part}.csv").write_text(text)
    data, parts = opened(str(tmp_path), target="y", limit=100)
    assert [len(part) for part in parts] == [50, 10, 40]
    assert [int(part.y.sum()) for part in parts] == [5, 1, 4]
    assert data.split_by == "as given"


@pytest.mark.parametrize("seed", [0, 1])
def test_the_test_part_is_sealed(seed: int) -> None:
    """It opens once, does not travel, and says its fingerprint without being opened."""
    data, test = load("sklearn:iris", seed=seed)
    mark = test.fingerprint
    assert mark == load("sklearn:iris", seed=seed)[1].fingerprint
    assert mark != load("sklearn:iris", seed=seed + 1)[1].fingerprint
    with pytest.raises(TypeError, match="stays in its process"):
        pickle.dumps(test)
    assert len(pickle.dumps(data)) > 1000
    assert len(test.open()) == test.size
    with pytest.raises(RuntimeError, match="a second look"):
        test.open()


@pytest.mark.parametrize(
    ("data", "how", "said"),
    [
        ("nowhere", {}, "--data nowhere: no such file, allowed: digits, sklearn:NAME, a file .csv"),
        ("digits", {"target": "y"}, "--target names the column that is to be learned"),
        ("digits", {"text": "y"}, "--text names the column of texts"),
        ("digits", {"group": "y"}, "--group names the column whose rows stay together"),
        ("sklearn:iris", {"time": "y"}, "--time names the column by which rows are ordered"),
        ("digits", {"limit": 9}, "--limit is 9, allowed: a whole number from 10"),
        ("x.csv", {}, "--target names the column"),
        ("x.parquet", {}, "--target names the column"),
        ("x.csv", {"target": "y"}, "x.csv: No such file or directory"),
        ("x.csv", {"target": "y", "group": "a", "time": "b"}, "--group and --time: allowed: one of them"),
        ("digits", {"shares": (0.5, 0.5, 0.0)}, "shares are .* allowed: three above 0 that sum to 1"),
        ("digits", {"shares": (0.5, 0.2, 0.4)}, "shares are .* allowed: three above 0 that sum to 1"),
    ],
)
def test_what_is_wrong_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: str, how: dict[str, object], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=said) as error:
        load(data, **how)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)
    (tmp_path / "other.txt").write_text("no data")
    with pytest.raises(ValueError, match=r"--data other\.txt: another kind of file, allowed"):
        load("other.txt")
