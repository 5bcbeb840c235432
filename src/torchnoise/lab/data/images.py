"""Folders of images, one a class, read by Pillow."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .arrays import examples_of_arrays
from .delimited import PART_NAMES
from .examples import Examples

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
LARGEST = 64  # pixels on the longer side: larger images are made smaller
_GREY = ("1", "L", "LA")


def class_folders(folder: Path) -> dict[str, list[Path]]:
    """The images in each sub-folder, by its name; sub-folders without any are no classes."""
    found = {}
    for place in sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")):
        files = sorted(p for p in place.rglob("*") if p.suffix.lower() in ENDINGS and not p.name.startswith("."))
        if files:
            found[place.name] = files
    return found


def image_parts(folder: Path) -> dict[str, dict[str, list[Path]]]:
    """The folders train, test and the like, and the classes in each; {"": classes} where there are classes only."""
    parts = {p.name: class_folders(p) for p in sorted(folder.iterdir()) if p.is_dir() and p.name.lower() in PART_NAMES}
    parts = {name: classes for name, classes in parts.items() if classes}
    return parts if "train" in {name.lower() for name in parts} else {"": class_folders(folder)}


def load_images(folder: Path, parts: dict[str, dict[str, list[Path]]]) -> Examples:
    """Images of classes, all resized to the commonest size among them, 64 pixels on the longer side at most.

    Raises:
        ValueError: Pillow is not installed, or a file is no image.
    """
    classes = sorted({name for part in parts.values() for name in part})
    found = [
        (path, classes.index(c), part) for part, named in parts.items() for c, paths in named.items() for path in paths
    ]
    pixels, said = as_pixels((path.name, _opened(path)) for path, _, _ in found)
    given = None if "" in parts else np.array([PART_NAMES[part.lower()] for _, _, part in found])
    y = np.array([label for _, label, _ in found])
    examples = examples_of_arrays(f"{folder.name}/", pixels, y, given=given, classes=classes)
    return replace(examples, said=f"{examples.said}; {said}")


def _opened(path: Path) -> Any:
    """An image, upright.

    Raises:
        ValueError: Pillow is not installed, or cannot read the file.
    """
    try:
        from PIL import Image, ImageOps
    except ModuleNotFoundError:
        raise ValueError(f'{path.parent}: for images, pip install "torchnoise[images]"') from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                image.load()
                return ImageOps.exif_transpose(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombWarning, Image.DecompressionBombError) as problem:
        raise ValueError(f"{path}: {' '.join(str(problem).split())}") from None


def as_pixels(images: Iterable[tuple[str, Any]]) -> tuple[np.ndarray, str]:
    """Pillow's images as uint8 [N, channels, height, width], grey where all of them are; and how, in words."""
    sizes: Counter[tuple[int, int]] = Counter()
    small = []
    for _, image in images:
        sizes[image.size] += 1
        image = _eight_bits(image)
        # far larger ones are made smaller at once, so that a folder of photographs fits into memory
        image.thumbnail((4 * LARGEST, 4 * LARGEST), reducing_gap=2.0)
        small.append(image)
    grey = all(image.mode in _GREY for image in small)
    size = _common(sizes)
    made = np.stack([_sized(image, "L" if grey else "RGB", size) for image in small])
    pixels = made[:, None] if grey else np.moveaxis(made, -1, 1)
    said = f"{'grey' if grey else 'colour'} images of {size[0]} x {size[1]}"
    others = sum(count for found, count in sizes.items() if found != size)
    return pixels, said + (f", to which {others} were resized" if others else "")


def _common(sizes: Counter[tuple[int, int]]) -> tuple[int, int]:
    """The commonest size, the larger of two, made to fit."""
    width, height = max(sizes, key=lambda size: (sizes[size], size))
    scale = min(1.0, LARGEST / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _eight_bits(image: Any) -> Any:
    """Grey images of 16 bits or of floats, which Pillow would cut off at 255, as bytes; a palette as its colours."""
    from PIL import Image

    if image.mode.startswith(("I", "F")):
        values = np.asarray(image).astype(np.float64)
        most = 65535.0 if image.mode.startswith("I") else max(1.0, float(values.max()))
        return Image.fromarray(np.clip(values / most * 255.0, 0, 255).round().astype(np.uint8))
    if image.mode in ("P", "PA"):
        return image.convert("RGB")
    return image.copy()


def _sized(image: Any, mode: str, size: tuple[int, int]) -> np.ndarray:
    from PIL import Image

    image = image.convert(mode)
    return np.asarray(image if image.size == size else image.resize(size, Image.Resampling.BILINEAR))
