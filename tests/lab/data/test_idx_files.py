"""MNIST's files."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from data_files import write_idx, write_mnist

from torchnoise.lab.data import load
from torchnoise.lab.data.idx import read_idx


def test_images_in_idx(tmp_path: Path) -> None:
    """One pair is split, named by its folder or by its file; train-* and t10k-* are taken as they are meant. The values
    are the pixels over 255.

    Broken on purpose: sizes read with the smaller byte first.
    """
    shares = (0.7, 0.15, 0.15)
    x, y = write_mnist(tmp_path)
    np.testing.assert_array_equal(read_idx(tmp_path / "t10k-images-idx3-ubyte.gz"), x)
    for name in (tmp_path, tmp_path / "t10k-images-idx3-ubyte.gz"):
        data, test = load(str(name), shares=shares)
        assert data.shape == (1, 8, 8)
        assert [len(data.train), len(data.validation), test.size] == [42, 9, 9]
    write_mnist(tmp_path, "train-", 100, end="")
    data, test = load(str(tmp_path), shares=shares)
    assert len(data.train) + len(data.validation) == 100
    part = test.open()
    found = sorted((*row.flatten().tolist(), label) for row, label in zip(part.x, part.y.tolist(), strict=True))
    pixels = torch.from_numpy(x / 255.0).float().flatten(1).tolist()
    assert found == sorted((*row, label) for row, label in zip(pixels, y.tolist(), strict=True))
    alone, _ = load(str(tmp_path / "train-images-idx3-ubyte"), shares=shares)
    assert len(alone.train) == 70


def test_what_is_no_idx(tmp_path: Path) -> None:
    def wrong(said: str, act: Callable[[], object]) -> None:
        with pytest.raises(ValueError, match=said):
            act()

    write_mnist(tmp_path)
    path = tmp_path / "t10k-images-idx3-ubyte.gz"
    content = gzip.decompress(path.read_bytes())
    for changed, said in (
        (b"\x01" + content[1:], "not in IDX format"),
        (content[:-1], "do not hold"),
        (b"", "not in IDX"),
    ):
        path.write_bytes(gzip.compress(changed))
        wrong(said, lambda: read_idx(path))
    path.write_bytes(b"no gzip")
    wrong("t10k-images", lambda: read_idx(path))
    write_idx(path, np.zeros((5, 8, 8)))
    wrong("do not belong together", lambda: load(str(tmp_path)))
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    wrong("has no t10k-labels", lambda: load(str(tmp_path)))
    write_mnist(tmp_path)
    write_mnist(tmp_path, "other-")
    wrong("allowed: one pair of files", lambda: load(str(tmp_path)))
