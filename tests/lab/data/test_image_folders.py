"""Folders of images, one a class."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from torchnoise.lab.data import IMAGE, load

Image = pytest.importorskip("PIL.Image")


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def write_classes(folder: Path, count: int = 8, channels: int = 1, begin: int = 0) -> None:
    """Cats are dark, dogs are light; the first pixel counts the images."""
    for label, base in (("cat", 10), ("dog", 200)):
        for i in range(count):
            pixels = np.full((6, 5, channels), base, dtype=np.uint8)
            pixels[0, 0] = begin + i
            save(folder / label / f"{i}.png", pixels[..., 0] if channels == 1 else pixels)


@pytest.mark.parametrize(("channels", "said"), [(1, "grey images of 5 x 6"), (3, "colour images of 5 x 6")])
def test_a_folder_of_classes(tmp_path: Path, channels: int, said: str) -> None:
    """The pixels over 255, height before width; grey stays grey.

    Broken on purpose: axes of the image swapped; labels by the order of files.
    """
    write_classes(tmp_path, channels=channels)
    (tmp_path / "cat/notes.txt").write_text("no image")
    (tmp_path / "empty").mkdir()
    (tmp_path / ".git").mkdir()
    data, test = load(str(tmp_path))
    assert data.kind == IMAGE
    assert data.shape == (channels, 6, 5)
    assert data.task.classes == ("cat", "dog")
    assert data.said.endswith(f"16 examples; 2 classes; {said}")
    part = test.open()
    for x, y in zip(part.x, part.y.tolist(), strict=True):
        assert x[0, 3, 3].item() == pytest.approx((10, 200)[y] / 255)
    counted = [round(float(x[0, 0, 0]) * 255) for p in (data.train, data.validation, part) for x in p.x]
    assert sorted(counted) == sorted([*range(8), *range(8)])


def test_parts_and_classes(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", 10)
    write_classes(tmp_path / "test", 6, begin=100)
    data, test = load(str(tmp_path))
    assert data.split_by == "as given, validation at random from the training part"
    part = test.open()
    assert sorted(round(float(x[0, 0, 0]) * 255) for x in part.x) == sorted([*range(100, 106), *range(100, 106)])
    write_classes(tmp_path / "val", 3, begin=200)
    data, _ = load(str(tmp_path))
    assert data.split_by == "as given"
    assert {round(float(x[0, 0, 0]) * 255) for x in data.validation.x} == {200, 201, 202}


def test_images_of_many_sizes_and_modes(tmp_path: Path) -> None:
    """All at the commonest size; one in colour makes all colour; 16 bits, palettes and transparency are read as they
    look; large ones are made smaller."""
    write_classes(tmp_path, 6)
    save(tmp_path / "cat/large.jpg", np.full((30, 25, 3), 100, dtype=np.uint8))
    save(tmp_path / "dog/deep.png", np.full((6, 5), 40_000, dtype=np.uint16))
    Image.fromarray(np.full((6, 5), 90, dtype=np.uint8)).convert("P").save(tmp_path / "dog/palette.png")
    Image.fromarray(np.full((6, 5, 4), 70, dtype=np.uint8)).save(tmp_path / "dog/clear.png")
    data, test = load(str(tmp_path))
    assert data.shape == (3, 6, 5)
    assert data.said.endswith("colour images of 5 x 6, to which 1 were resized")
    everything = [x for part in (data.train, data.validation, test.open()) for x in part.x]
    middle = sorted(round(float(x[1, 3, 3]) * 255) for x in everything)
    assert middle == sorted([10] * 6 + [200] * 6 + [100, round(40_000 / 65_535 * 255), 90, 70])
    for label in ("a", "b"):
        for i in range(6):
            save(tmp_path / "big" / label / f"{i}.png", np.full((50, 200), i, dtype=np.uint8))
    assert load(str(tmp_path / "big"))[0].shape == (1, 16, 64)


def test_what_is_no_folder_of_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="allowed in a folder: MNIST's files, images in one sub-folder a class"):
        load(str(tmp_path))
    write_classes(tmp_path)
    with pytest.raises(ValueError, match="--target names the column"):
        load(str(tmp_path), target="cat")
    (tmp_path / "dog/bad.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"dog/bad\.png: cannot identify image file") as error:
        load(str(tmp_path))
    assert "\n" not in str(error.value)
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "PIL", None)
        with pytest.raises(ValueError, match=r'pip install "torchnoise\[images\]"'):
            load(str(tmp_path))
    (tmp_path / "dog/bad.png").unlink()
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    with pytest.raises(ValueError, match="exceeds limit of 20 pixels"):
        load(str(tmp_path))
