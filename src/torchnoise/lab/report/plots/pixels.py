"""Examples that are images, as PNG inside the page."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from pydantic import JsonValue


def as_array(image: JsonValue) -> np.ndarray[Any, Any]:
    """[height, width] or [height, width, 3] of bytes, from [height][width], with channels first or last, or without."""
    array = np.asarray(image, dtype=np.float64)
    if array.ndim == 3 and array.shape[-1] not in (1, 3) and array.shape[0] <= 4:
        array = np.moveaxis(array, 0, -1)
    if array.ndim == 3 and array.shape[-1] != 3:
        array = array[:, :, 0]
    if array.ndim not in (2, 3) or not array.size:
        raise ValueError(f"an image of shape {list(array.shape)}, allowed: [height, width] with or without channels")
    return np.clip(np.round(np.nan_to_num(array)), 0, 255).astype(np.uint8)


def to_png(image: np.ndarray[Any, Any], side: int) -> str:
    """The image as a data URI. Of a larger one every second, third ... pixel: averages would hide its noise."""
    from PIL import Image  # matplotlib depends on it

    step = -(-max(image.shape[:2]) // side)
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image[::step, ::step])).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def side_for(images: int, channels: int, budget: int = 450_000) -> int:
    """How large images may be, so that all of them together stay within a budget of bytes."""
    return int(min(128, max(16, (budget / max(images * channels, 1)) ** 0.5)))
