"""Files of data that tests read."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np


def write_csv(path: Path, rows: int = 80) -> Path:
    draw = np.random.default_rng(0)
    lines = ["size , colour,empty,constant,income"]
    for i in range(rows):
        size, colour = draw.normal(50, 10), draw.choice(["red", "blue, dark", "?"])
        shown = "" if i % 40 == 0 else f"{size:.3f}"
        lines.append(f'{shown}, "{colour}",NA,1,{"high" if size + 8 * (colour == "red") > 52 else "low"}')
    text = "\n".join(lines) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode("utf-8-sig"))
    return path


def write_idx(path: Path, array: np.ndarray) -> None:
    sizes = b"".join(int(n).to_bytes(4, "big") for n in array.shape)
    content = bytes([0, 0, 0x08, array.ndim]) + sizes + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def write_mnist(folder: Path, stem: str = "t10k-", count: int = 60, end: str = ".gz") -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(len(stem))
    y = draw.integers(0, 3, count)
    x = draw.integers(0, 50, (count, 8, 8)) + 60 * y[:, None, None]
    write_idx(folder / f"{stem}images-idx3-ubyte{end}", x)
    write_idx(folder / f"{stem}labels-idx1-ubyte{end}", y)
    return x, y
