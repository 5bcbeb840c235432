"""Corruptions of images: float32 [N, channels, height, width] from 0 to 1.

After Hendrycks, Dietterich, "Benchmarking neural network robustness to common corruptions and perturbations", ICLR
2019. Lengths are shares of an image's shorter side, so that they mean the same for images of 8 and of 224 pixels.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...data import Data, Part
from .base import Corruption


def add_gaussian(x: Tensor, sigma: float, generator: np.random.Generator) -> Tensor:
    """Gaussian noise, cut off at 0 and 1."""
    noise = torch.from_numpy(generator.standard_normal(tuple(x.shape), dtype=np.float32))
    return (x + sigma * noise).clamp(0.0, 1.0)


def salt_and_pepper(x: Tensor, share: float, generator: np.random.Generator) -> Tensor:
    """A share of the pixels, with all their channels, becomes black or white."""
    pixels = (x.shape[0], *([1] * (x.dim() - 3)), *x.shape[-2:])
    u = torch.from_numpy(generator.random(pixels, dtype=np.float32))
    return torch.where(u < share, (u < share / 2).to(x.dtype), x)


def cut_patch(x: Tensor, share: float, generator: np.random.Generator) -> Tensor:
    """A square patch anywhere inside becomes black; its side is a share of the shorter side, at least a pixel."""
    height, width = x.shape[-2:]
    side = min(max(1, round(share * min(height, width))), height, width)
    top, left = (torch.from_numpy(generator.integers(0, room - side + 1, len(x))) for room in (height, width))
    y, z = torch.arange(height), torch.arange(width)
    rows = (y >= top[:, None]) & (y < top[:, None] + side)
    columns = (z >= left[:, None]) & (z < left[:, None] + side)
    hit = (rows[:, :, None] & columns[:, None, :]).view(len(x), *([1] * (x.dim() - 3)), height, width)
    return x.masked_fill(hit, 0.0)


def blur(x: Tensor, share: float) -> Tensor:
    """Gaussian blur, with a sigma that is a share of the shorter side; the border's pixels go on beyond it."""
    from scipy.ndimage import gaussian_filter

    sigma = share * min(x.shape[-2:])
    return torch.from_numpy(gaussian_filter(x.numpy(), sigma, axes=(-2, -1), mode="nearest"))


def lower_contrast(x: Tensor, factor: float) -> Tensor:
    """Each channel of an image drawn together towards its mean by a factor."""
    mean = x.mean((-2, -1), keepdim=True)
    return mean + factor * (x - mean)


def _gaussian(part: Part, data: Data, sigma: float, generator: np.random.Generator) -> Tensor:
    return add_gaussian(part.x, sigma, generator)


def _salt_and_pepper(part: Part, data: Data, share: float, generator: np.random.Generator) -> Tensor:
    return salt_and_pepper(part.x, share, generator)


def _patch(part: Part, data: Data, share: float, generator: np.random.Generator) -> Tensor:
    return cut_patch(part.x, share, generator)


def _blur(part: Part, data: Data, share: float, generator: np.random.Generator) -> Tensor:
    return blur(part.x, share)


def _contrast(part: Part, data: Data, factor: float, generator: np.random.Generator) -> Tensor:
    return lower_contrast(part.x, factor)


IMAGES = (
    Corruption("gaussian noise", "sigma 0.04 to 0.4 of the full range", (0.04, 0.08, 0.15, 0.25, 0.4), _gaussian),
    Corruption("salt and pepper", "1 % to 30 % of the pixels", (0.01, 0.03, 0.08, 0.15, 0.3), _salt_and_pepper),
    Corruption(
        "missing patch", "a black square of 1/8 to 5/8 of the shorter side", (0.125, 0.25, 0.375, 0.5, 0.625), _patch
    ),
    Corruption("blur", "sigma 3 % to 18 % of the shorter side", (0.03, 0.05, 0.08, 0.12, 0.18), _blur),
    Corruption("contrast", "80 % to 10 % of the contrast is left", (0.8, 0.6, 0.4, 0.2, 0.1), _contrast),
)
