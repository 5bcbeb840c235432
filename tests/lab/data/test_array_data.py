"""Arrays as data: scikit-learn's sets, .npz, and what arrays may hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
import torch

from torchnoise.lab.data import IMAGE, TABLE, TEXT, Part, load
from torchnoise.lab.data.arrays import examples_of_arrays
from torchnoise.lab.data.split import Parts

ALL = Parts(np.arange(12), np.arange(1), np.arange(1))
Y = np.tile([0, 1, 2], 4)
SHARES = (0.4, 0.2, 0.4)


def pairs(part: Part) -> Iterable[tuple[torch.Tensor, int]]:
    return zip(part.x, part.y.tolist(), strict=True)


@pytest.mark.parametrize(
    ("name", "shape", "classes"),
    [
        ("iris", (4,), ("setosa", "versicolor", "virginica")),
        ("wine", (13,), ("class_0", "class_1", "class_2")),
        ("breast_cancer", (30,), ("malignant", "benign")),
        ("diabetes", (10,), None),
        ("digits", (1, 8, 8), tuple("0123456789")),
    ],
)
def test_the_sets_of_scikit_learn(name: str, shape: tuple[int, ...], classes: tuple[str, ...] | None) -> None:
    data, test = load(f"sklearn:{name}")
    assert data.shape == shape
    assert data.task.classes == classes
    assert data.kind == (IMAGE if name == "digits" else TABLE)
    if data.kind == TABLE:
        assert len(data.features) == shape[0]
        torch.testing.assert_close(data.train.x.mean(0), torch.zeros(shape), atol=1e-5, rtol=0)
        torch.testing.assert_close(data.train.x.std(0, correction=0), torch.ones(shape), atol=1e-4, rtol=0)
    assert len(data.train) > len(data.validation)
    assert test.size > len(data.validation)
    with pytest.raises(ValueError, match="--data sklearn:irs: scikit-learn ships no such set; did you mean 'iris'"):
        load("sklearn:irs")


def test_digits_are_the_pixels_over_sixteen() -> None:
    """All of them, once, each with its label.

    Broken on purpose: labels taken in another order than images.
    """
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    data, test = load("digits", shares=SHARES, seed=7)
    parts = [data.train, data.validation, test.open()]
    found = sorted((*row.flatten().tolist(), label) for part in parts for row, label in pairs(part))
    assert found == sorted((*row, label) for row, label in zip((x / 16.0).tolist(), y.tolist(), strict=True))
    assert [len(part) for part in parts] == [719, 359, 719]
    for label in range(10):
        counts = [int((part.y == label).sum()) for part in parts]
        assert all(abs(count - share * (y == label).sum()) < 2 for count, share in zip(counts, SHARES, strict=True))
    assert parts[0].x.dtype == torch.float32
    assert parts[0].y.dtype == torch.int64


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ((12,), (1,)),
        ((12, 5), (5,)),
        ((12, 6, 7), (1, 6, 7)),
        ((12, 3, 6, 7), (3, 6, 7)),
        ((12, 6, 7, 3), (3, 6, 7)),
        ((12, 6, 7, 1), (1, 6, 7)),
        ((12, 1, 6, 3), (1, 6, 3)),
    ],
)
def test_shapes(shape: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).random(shape)
    examples = examples_of_arrays("a", x, Y)
    found = examples.inputs(ALL).parts[0]
    assert isinstance(found, np.ndarray)
    assert found.shape == (12, *wanted)
    assert examples.kind == (TABLE if len(shape) < 3 else IMAGE)
    if shape == (12, 6, 7, 3):
        np.testing.assert_allclose(found[2, 1, 3, 4], x[2, 3, 4, 1], rtol=1e-6)


def test_pixels_are_brought_to_between_zero_and_one() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 4, 4))
    pixels[0, 0, 0] = 255
    for x, said in ((pixels.astype(np.uint8), ""), (pixels, "divided by 255"), (pixels / 255.0, "")):
        examples = examples_of_arrays("a", x, Y)
        found = examples.inputs(ALL).parts[0]
        np.testing.assert_allclose(np.asarray(found)[:, 0], pixels / 255.0, rtol=1e-6)
        assert said in examples.said
    for wrong in (pixels - 1.0, pixels * 2):
        with pytest.raises(ValueError, match="allowed: 0 to 1, or 0 to 255"):
            examples_of_arrays("a", wrong, Y)


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (Y, ("0", "1", "2")),
        (Y[:, None] + 5, ("5", "6", "7")),
        (np.eye(3)[Y], ("0", "1", "2")),
        (np.array(["a", "b"] * 6), ("a", "b")),
        ([True, False] * 6, ("0", "1")),
        (np.arange(12) / 7, None),
        (np.tile([1.0, 2.0], 6), ("1", "2")),
    ],
)
def test_what_y_may_be(y: object, classes: tuple[str, ...] | None) -> None:
    found = examples_of_arrays("a", np.zeros((12, 2)) + np.arange(2), y).target
    assert found.classes == classes
    assert found.y.dtype.kind == ("f" if classes is None else "i")


def test_many_labels_of_images_are_classes() -> None:
    """And of a table, a number."""
    y = np.arange(120) // 4
    assert len(examples_of_arrays("a", np.zeros((120, 4, 4)), y).target.classes or ()) == 30
    assert examples_of_arrays("a", np.random.default_rng(0).random((120, 4)), y).target.classes is None


@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        (np.zeros((12, 2)), Y[:5], "x has 12 rows, y has 5"),
        (np.zeros((12, 2)), Y * 0, "every row is '0'"),
        (np.zeros((12, 2)), np.where(Y == 0, np.nan, 0.5), r"y\[0\] is not finite"),
        (np.where(np.eye(12) > 0, np.inf, 0.0), Y, r"x\[0, 0\] is inf, allowed: finite"),
        (np.full((12, 4, 4), np.nan), Y, "is nan, allowed: finite"),
        (np.zeros((12, 2, 2, 2, 2)), Y, "x has shape"),
        (np.zeros((12, 0)), Y, "x has shape"),
        (np.zeros((12, 2)), np.zeros((12, 2)), "y has shape"),
        (np.array([{}] * 12), Y, "x is of object, allowed: numbers, or texts"),
    ],
)
def test_what_arrays_may_not_be(x: np.ndarray, y: np.ndarray, said: str) -> None:
    with pytest.raises(ValueError, match=said) as error:
        examples_of_arrays("a", x, y)
    assert "\n" not in str(error.value)


def test_numbers_that_miss_are_the_training_median() -> None:
    x = np.arange(24.0).reshape(12, 2)
    x[3, 0] = np.nan
    found = np.asarray(examples_of_arrays("a", x, Y).inputs(Parts(np.arange(3), np.array([3]), np.array([4]))).parts[1])
    assert found[0, 0] == pytest.approx(0.0)  # of 0, 2 and 4, the median is the mean


# -- .npz -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names", [("x", "y"), ("X", "Y"), ("data", "target"), ("features", "labels"), ("one", "other")]
)
def test_npz(tmp_path: Path, names: tuple[str, str]) -> None:
    x = np.random.default_rng(0).random((60, 4))
    np.savez(tmp_path / "d.npz", **dict(zip(names, (x, np.arange(60) % 3), strict=True)))
    data, test = load(str(tmp_path / "d.npz"))
    assert data.said == "d.npz: 60 examples; 3 classes"
    assert [len(data.train), len(data.validation), test.size] == [30, 12, 18]
    assert data.features == ("x0", "x1", "x2", "x3")


def test_npz_in_two_parts_and_with_texts(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    x, y = draw.random((60, 4, 4)), np.arange(60) % 3
    np.savez(tmp_path / "d.npz", x_train=x[:40], y_train=y[:40], x_test=x[40:], y_test=y[40:])
    data, test = load(str(tmp_path / "d.npz"))
    assert data.split_by == "as given, validation at random from the training part"
    part = test.open()
    assert sorted(part.x[:, 0, 0, 0].tolist()) == pytest.approx(sorted(x[40:, 0, 0].tolist()))
    np.savez(tmp_path / "t.npz", x=np.array(["fine", "poor"] * 10), y=np.array([1, 0] * 10))
    data, _ = load(str(tmp_path / "t.npz"))
    assert data.kind == TEXT
    assert [["poor", "fine"][label] for label in data.train.y.tolist()] == list(data.train.texts or ())


class Unpickled:
    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return (Path.touch, (Path("unpickled"),))  # type: ignore[return-value]


def test_what_is_no_npz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is unpickled.

    Broken on purpose: allow_pickle.
    """
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "d.npz"

    def wrong(said: str) -> None:
        with pytest.raises(ValueError, match=said) as error:
            load(str(path))
        assert "\n" not in str(error.value)

    np.savez(path, a=Y, b=Y, c=Y)
    wrong("it has a, b, c, allowed: x and y")
    np.savez(path, x=np.array([Unpickled()]), y=Y)
    wrong("Object arrays cannot be loaded")
    assert not Path("unpickled").exists()
    np.savez(path, x_train=np.zeros((9, 2)), y_train=Y[:9], x_test=np.zeros((3, 3)), y_test=Y[9:])
    wrong("differ in shape")
    np.savez(path, x_train=np.zeros((9, 2)), y_train=Y[:8], x_test=np.zeros((3, 2)), y_test=Y[8:])
    wrong("have not as many rows")
    path.write_bytes(b"PK\x03\x04 no archive")
    wrong("allowed: arrays")
    path.write_bytes(b"no archive")
    wrong("allowed: arrays")
