"""What the noise is put on: a photograph and digits that scikit-learn brings along, and draws at fixed addresses."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from sklearn.datasets import load_digits, load_sample_image
from torch import Tensor

import torchnoise as tn
from torchnoise.noise import Noise, RandomNoise

DRAWS = 200_000


@cache
def scene() -> np.ndarray:
    """A grey photograph in [0, 1], 63 x 90: scikit-learn's "china.jpg", averaged over blocks of 6 x 6 pixels."""
    colours = load_sample_image("china.jpg")[14:392, 60:600].astype(np.float64) / 255.0
    grey = colours @ np.array([0.299, 0.587, 0.114])
    return grey.reshape(63, 6, 90, 6).mean((1, 3))


@cache
def digits() -> tuple[Tensor, Tensor]:
    """scikit-learn's digits: float32 [1797, 64], from 0 to 16, and their labels."""
    data = load_digits()
    return torch.tensor(data.data, dtype=torch.float32), torch.tensor(data.target)


@cache
def template_weights() -> Tensor:
    """The ridge regression from pixels (0 to 1) to ten one-hot digits, in closed form: float32 [10, 64]."""
    x, labels = digits()
    pixels = x.numpy().astype(np.float64) / 16.0
    wanted = np.eye(10)[labels.numpy()] - 0.1
    centred = pixels - pixels.mean(0)
    found = np.linalg.solve(centred.T @ centred + 10.0 * np.eye(64), centred.T @ wanted)
    return torch.tensor(found.T, dtype=torch.float32)


def noised(x: Tensor | np.ndarray, noise: Noise, examples: int = 1, seed: int = 0) -> np.ndarray:
    """x with the noise that lives at step 0 of a seed. With one example, x is that example, without a batch axis."""
    tensor = torch.as_tensor(x, dtype=torch.float32)
    if examples == 1:
        tensor = tensor[None]
    with torch.no_grad():
        if isinstance(noise, RandomNoise):
            out = tn.noisy(tensor, noise, tn.address(seed=seed, examples=examples))
        else:
            with tn.attach(torch.nn.Identity(), tn.Injection(noise, at=tn.Inputs()), seed=seed) as attached:
                out = attached.model(tensor)
    return (out[0] if examples == 1 else out).numpy()


def draws(noise: Noise, at: float = 0.0, count: int = DRAWS) -> np.ndarray:
    """What many elements of value `at` become under a noise."""
    return noised(torch.full((count,), at), noise, seed=1)
