"""Arrays as examples: tables of numbers, images, or texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .examples import Examples, Inputs
from .features import standardised
from .parts import IMAGE, TABLE, TEXT
from .split import TEST, TRAIN, Parts
from .target import Target, learnable, of_array

CHANNELS = (1, 3, 4)


def examples_of_arrays(
    name: str,
    x: Any,
    y: Any,
    *,
    given: np.ndarray | None = None,
    features: Sequence[str] = (),
    classes: Sequence[str] | None = None,
) -> Examples:
    """Examples of x (numbers [N], [N, features]; images [N, height, width], with channels before or after; or N texts)
    and y, a number or a word each. classes: names of y's whole numbers 0, 1, 2 ...

    Raises:
        ValueError: shapes that do not belong together, or values that are no finite numbers; one line.
    """
    texts = _texts(x)
    count = len(texts) if texts is not None else len(np.atleast_1d(np.asarray(x)))
    if len(np.atleast_1d(np.asarray(y))) != count:
        raise ValueError(f"{name}: x has {count} rows, y has {len(y)}, allowed: as many")
    if texts is not None:
        return Examples(TEXT, _target(name, y, classes, True), _Texts(texts), _said(name, y, "texts"), given=given)
    numbers = _numbers(name, x)
    image = numbers.ndim > 2
    target = _target(name, y, classes, image)
    said = f"{name}: {count} examples; {f'{len(target.classes)} classes' if target.classes else 'a number each'}"
    if image:
        pixels, scaled = as_images(name, numbers)
        return Examples(IMAGE, target, _Rows(pixels), said + scaled, given=given)
    named = tuple(features) or tuple(f"x{i}" for i in range(numbers.shape[1]))
    return Examples(TABLE, target, _Standardised(numbers, named), said, given=given)


def _said(name: str, y: Any, what: str) -> str:
    return f"{name}: {len(y)} {what}"


def _target(name: str, y: Any, classes: Sequence[str] | None, labels: bool) -> Target:
    if classes is None:
        return of_array(y, name, labels)
    codes = np.asarray(y).astype(np.int64)
    if codes.min() < 0 or codes.max() >= len(classes):
        raise ValueError(f"{name}: y goes from {codes.min()} to {codes.max()}, allowed: 0 to {len(classes) - 1}")
    return learnable(Target(codes, tuple(map(str, classes))), name)


def _texts(x: Any) -> tuple[str, ...] | None:
    if isinstance(x, np.ndarray):
        return tuple(map(str, x)) if x.ndim == 1 and x.dtype.kind == "U" else None
    if isinstance(x, (list, tuple)) and x and all(isinstance(text, str) for text in x):
        return tuple(x)
    return None


def _numbers(name: str, x: Any) -> np.ndarray:
    """x with at least two axes; numbers that miss are allowed in a table only."""
    found = np.asarray(x)
    if found.dtype.kind not in "biuf":
        raise ValueError(f"{name}: x is of {found.dtype}, allowed: numbers, or texts")
    found = found[:, None] if found.ndim == 1 else found
    if not 2 <= found.ndim <= 4 or 0 in found.shape:
        raise ValueError(
            f"{name}: x has shape {found.shape}, allowed: (N, features), or images (N, height, width), "
            "(N, channels, height, width), (N, height, width, channels)"
        )
    bad = np.isinf(found) if found.ndim == 2 else ~np.isfinite(found)
    if bad.any():
        at = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(f"{name}: x{list(at)} is {found[at]}, allowed: finite numbers")
    return found


def as_images(name: str, x: np.ndarray) -> tuple[np.ndarray, str]:
    """Images as float32 [N, channels, height, width] in [0, 1]; and how they were scaled, where that is a guess.

    Bytes are divided by 255, and so are other numbers from 0 to 255 with some above 1; numbers in [0, 1] stay.

    Raises:
        ValueError: other numbers.
    """
    if x.ndim == 3:
        x = x[:, None]
    elif x.shape[1] not in CHANNELS and x.shape[-1] in CHANNELS:
        x = np.moveaxis(x, -1, 1)
    low, high = float(x.min()), float(x.max())
    if low < 0 or high > 255:
        raise ValueError(f"{name}: images with values from {low:g} to {high:g}, allowed: 0 to 1, or 0 to 255")
    if x.dtype == np.uint8:
        return x / np.float32(255.0), ""
    return (x / np.float32(255.0), "; pixels divided by 255") if high > 1 else (x.astype(np.float32), "")


class _Rows:
    def __init__(self, x: np.ndarray) -> None:
        self._x = x

    def __call__(self, parts: Parts) -> Inputs:
        return Inputs(tuple(self._x[rows] for rows in parts))


class _Texts:
    def __init__(self, texts: tuple[str, ...]) -> None:
        self._texts = texts

    def __call__(self, parts: Parts) -> Inputs:
        return Inputs(tuple(tuple(self._texts[row] for row in rows) for rows in parts))


class _Standardised:
    def __init__(self, x: np.ndarray, features: tuple[str, ...]) -> None:
        self._x, self._features = x.astype(np.float64), features

    def __call__(self, parts: Parts) -> Inputs:
        return Inputs(tuple(standardised(self._x, parts)), self._features)


def in_two_parts(train: Any, test: Any) -> tuple[np.ndarray, np.ndarray]:
    """Rows of both, one below the other, and the part of each."""
    return np.concatenate([train, test]), np.repeat([TRAIN, TEST], [len(train), len(test)])
