"""MNIST's files: arrays in IDX format."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import numpy as np

from .arrays import examples_of_arrays, in_two_parts
from .examples import Examples

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
IMAGES, LABELS = "images-idx3-ubyte", "labels-idx1-ubyte"


def read_idx(path: Path) -> np.ndarray:
    """The array in an IDX file, gzipped or not: two zeros, the type, the number of axes, their sizes, the values.

    Raises:
        ValueError: a file in another format, or cut short.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError) as problem:
        raise ValueError(f"{path}: {problem}") from None
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _TYPES:
        raise ValueError(f"{path} is not in IDX format")
    axes, dtype = content[3], np.dtype(_TYPES[content[2]])
    begin = 4 + 4 * axes
    shape = tuple(int(n) for n in np.frombuffer(content[4:begin], ">u4")) if len(content) >= begin else ()
    if len(shape) != axes or len(content) - begin != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{path}: {len(content)} bytes do not hold the array of shape {shape} that it speaks of")
    return np.frombuffer(content[begin:], dtype).reshape(shape)


def is_idx(path: Path) -> bool:
    """Whether a file is one of MNIST's images, by its name."""
    return path.name.removesuffix(".gz").endswith(IMAGES)


def load_idx(path: Path) -> Examples:
    """A file of images with its labels beside it, or a folder's: with files train-* and t10k-* the latter are the test
    part; one pair of files is split. float32 [N, 1, height, width], scaled to [0, 1].

    Raises:
        ValueError: no such files, or files that do not belong together.
    """
    found = {}
    for images in [path] if path.is_file() else sorted(p for p in path.iterdir() if is_idx(p)):
        stem = images.name.removesuffix(".gz").removesuffix(IMAGES)
        found[stem] = _pair(images, stem)
    if len(found) == 1:
        ((x, y),) = found.values()
        return _examples(path.name, x, y)
    if set(found) == {"train-", "t10k-"}:
        (x, y), (test_x, test_y) = found["train-"], found["t10k-"]
        if x.shape[1:] != test_x.shape[1:]:
            raise ValueError(f"{path}: images of {x.shape[1:]} and of {test_x.shape[1:]}, allowed: one size")
        pixels, given = in_two_parts(x, test_x)
        return _examples(path.name, pixels, np.concatenate([y, test_y]), given)
    raise ValueError(
        f"{path}: allowed: one pair of files ...-{IMAGES} and ...-{LABELS} (or .gz), or train-* and t10k-*"
    )


def _examples(name: str, x: np.ndarray, y: np.ndarray, given: np.ndarray | None = None) -> Examples:
    # a digit that no label names is a class all the same
    classes = [str(i) for i in range(int(y.max()) + 1)]
    return examples_of_arrays(name, x, y, given=given, classes=classes)


def _pair(images: Path, stem: str) -> tuple[np.ndarray, np.ndarray]:
    labels = next((p for p in sorted(images.parent.iterdir()) if p.name.removesuffix(".gz") == stem + LABELS), None)
    if labels is None:
        raise ValueError(f"{images.parent}: {images.name} has no {stem}{LABELS} beside it")
    x, y = read_idx(images), read_idx(labels)
    if x.ndim != 3 or y.shape != x.shape[:1] or not len(x):
        raise ValueError(f"{images}: shape {x.shape} and labels of shape {y.shape} do not belong together")
    return x, y.astype(np.int64)
