"""`hf:NAME`, with a stand-in for the library; where that is installed, with its own classes too."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import hub_stand_in
import numpy as np
import pytest

from torchnoise.lab.data import IMAGE, TABLE, TEXT, load

Load = Callable[..., Any]


def libraries() -> list[Any]:
    """The stand-in, and the library where it is installed (some versions of it and of pyarrow do not go together)."""
    try:
        import datasets

        datasets.Dataset.from_dict({"x": [1]})
    except Exception:
        return [hub_stand_in]
    return [hub_stand_in, datasets]


@pytest.fixture(params=libraries(), ids=lambda library: library.__name__)
def library(request: pytest.FixtureRequest) -> Any:
    return request.param


def serve(monkeypatch: pytest.MonkeyPatch, load_dataset: Load) -> None:
    """Let the library give what a function of the test gives."""
    module = ModuleType("datasets")
    module.load_dataset = load_dataset  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datasets", module)


def dataset(library: Any, columns: dict[str, list[Any]], features: dict[str, Any]) -> Any:
    if library is hub_stand_in:
        return library.Dataset(columns, features)
    return library.Dataset.from_dict(columns, features=library.Features(features))


def reviews(library: Any, count: int, labelled: bool = True) -> Any:
    features = {
        "idx": library.Value("int64"),
        "sentence": library.Value("string"),
        "label": library.ClassLabel(names=["none", "fine"]),
    }
    labels = [i % 2 if labelled else -1 for i in range(count)]
    texts = [f"a {['poor', 'fine'][i % 2]} film {count} {i}" for i in range(count)]
    return dataset(library, {"idx": list(range(count)), "sentence": texts, "label": labels}, features)


def test_texts_with_labels(monkeypatch: pytest.MonkeyPatch, library: Any) -> None:
    """The columns are guessed; a test part without labels leaves the one for validation as the test. A class may be
    called "none".

    Broken on purpose: rows labelled -1 kept as the last class.
    """
    parts = {"train": reviews(library, 40), "validation": reviews(library, 20), "test": reviews(library, 10, False)}
    serve(monkeypatch, lambda *name: parts)
    data, test = load("hf:glue/sst2")
    assert data.kind == TEXT
    assert data.task.classes == ("fine", "none")
    assert test.size == 20
    assert len(data.train) + len(data.validation) == 40
    assert data.split_by == "as given, validation at random from the training part"
    for text, label in zip(data.train.texts or (), data.train.y.tolist(), strict=True):
        assert ("fine" in text) == (label == 0)
    with pytest.raises(ValueError, match="--target stars: hf:glue/sst2 has no such column"):
        load("hf:glue/sst2", target="stars")
    with pytest.raises(ValueError, match="the data come in parts already"):
        load("hf:glue/sst2", group="idx")


def test_a_table(monkeypatch: pytest.MonkeyPatch, library: Any) -> None:
    features = {"size": library.Value("float64"), "kind": library.Value("int64"), "price": library.Value("float64")}
    columns: dict[str, list[Any]] = {"size": [i * 0.5 for i in range(40)], "kind": [i % 3 for i in range(40)]}
    columns["price"] = [i * 0.7 if i else None for i in range(40)]
    parts = {"train": dataset(library, columns, features)}
    serve(monkeypatch, lambda *name: parts)
    with pytest.raises(ValueError, match="--target names the column to learn: size, kind, price"):
        load("hf:houses")
    data, test = load("hf:houses", target="price")
    assert data.kind == TABLE
    assert data.features == ("size", "kind")
    assert len(data.train) + len(data.validation) + test.size == 39
    assert data.split_by == "at random"


def test_pictures(monkeypatch: pytest.MonkeyPatch, library: Any) -> None:
    Image = pytest.importorskip("PIL.Image")
    pictures = [Image.fromarray(np.full((4, 5), 100 * (i % 2), dtype=np.uint8)) for i in range(30)]
    features = {"image": library.Image(), "label": library.ClassLabel(names=["dark", "light"])}
    labels = [i % 2 for i in range(29)] + [-1]
    parts = {"train": dataset(library, {"image": pictures, "label": labels}, features)}
    serve(monkeypatch, lambda *name: parts)
    data, test = load("hf:lamps")
    assert data.kind == IMAGE
    assert data.shape == (1, 4, 5)
    assert data.task.classes == ("dark", "light")
    assert len(data.train) + len(data.validation) + test.size == 29
    assert (data.train.x.flatten(1).mean(1) > 0.2).long().tolist() == data.train.y.tolist()


@pytest.mark.parametrize(
    ("name", "asked", "why"),
    [
        ("imdb", [("imdb",)], FileNotFoundError),
        ("glue/sst2", [("glue/sst2",), ("glue", "sst2")], FileNotFoundError),
        ("glue/sst2", [("glue/sst2",)], ConnectionError),
        ("nyu-mll/glue/sst2", [("nyu-mll/glue", "sst2")], FileNotFoundError),
    ],
)
def test_names_and_configurations(
    monkeypatch: pytest.MonkeyPatch, name: str, asked: list[tuple[str, ...]], why: type[Exception]
) -> None:
    """What is not reached is one line, of what the first way said, and is not tried in another way."""
    tried: list[tuple[str, ...]] = []

    def load_dataset(*found: str) -> Any:
        tried.append(found)
        raise why(f"Couldn't reach\n{found}")

    serve(monkeypatch, load_dataset)
    with pytest.raises(ValueError, match=f"--data hf:{name}: {why.__name__}: Couldn't reach") as error:
        load(f"hf:{name}")
    assert "\n" not in str(error.value)
    assert tried == asked


def test_without_the_library_and_other_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, lambda *name: {"left": reviews(hub_stand_in, 10), "right": reviews(hub_stand_in, 10)})
    with pytest.raises(ValueError, match="it has the parts left, right, allowed: train, validation, test"):
        load("hf:x")
    with pytest.raises(ValueError, match="allowed: hf:NAME, hf:OWNER/NAME"):
        load("hf:")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ValueError, match=r'pip install "torchnoise\[hub\]"'):
        load("hf:x")
