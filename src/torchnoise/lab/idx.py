"""MNIST's files: arrays in IDX format."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import numpy as np

from .sets import Sets, as_sets, data_set, split

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


def load_idx(folder: Path, seed: int) -> Sets:
    """The images of a folder, scaled to [0, 1], float32 [N, 1, height, width]. With files train-* and t10k-* the latter
    are the test part; with one pair of files that is split.

    Raises:
        ValueError: no such files, or files that do not belong together.
    """
    found = {}
    for path in sorted(folder.iterdir()):
        name = path.name.removesuffix(".gz")
        if name.endswith(IMAGES):
            stem = name.removesuffix(IMAGES)
            found[stem] = _pair(path, stem)
    if len(found) == 1:
        ((x, y),) = found.values()
        return as_sets(x, y, _names(y), seed)
    if set(found) == {"train-", "t10k-"}:
        (x, y), test = found["train-"], found["t10k-"]
        # the rows that would have been for the test are trained on
        parts = split(len(y), seed, y)
        rows = np.sort(np.concatenate([parts.train, parts.test]))
        return Sets(
            data_set(x[rows], y[rows]), data_set(x[parts.validation], y[parts.validation]), data_set(*test), _names(y)
        )
    raise ValueError(
        f"{folder}: allowed: one pair of files ...-{IMAGES} and ...-{LABELS} (or .gz), or train-* and t10k-*"
    )


def _pair(images: Path, stem: str) -> tuple[np.ndarray, np.ndarray]:
    labels = next((p for p in sorted(images.parent.iterdir()) if p.name.removesuffix(".gz") == stem + LABELS), None)
    if labels is None:
        raise ValueError(f"{images.parent}: {images.name} has no {stem}{LABELS} beside it")
    x, y = read_idx(images), read_idx(labels)
    if x.ndim != 3 or y.shape != x.shape[:1]:
        raise ValueError(f"{images}: shape {x.shape} and labels of shape {y.shape} do not belong together")
    return (x / np.float32(255.0))[:, None], y.astype(np.int64)


def _names(y: np.ndarray) -> tuple[str, ...]:
    return tuple(map(str, range(int(y.max()) + 1)))
