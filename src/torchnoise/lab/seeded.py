"""Random numbers from a seed for code that takes them from global generators, which stay where they were."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def seeded(seed: int, device: str | torch.device = "cpu") -> Iterator[None]:
    """Inside, the generators of torch (the CPU's, and those of `device`), NumPy and Python begin at `seed`.

    Layers draw their first weights, and torch's own dropout its masks, from torch's, and take no other. The rest is for
    code of the user's.
    """
    device = torch.device(device)
    gpus = [torch.cuda.current_device() if device.index is None else device.index] if device.type == "cuda" else []
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=gpus):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would move those of all GPUs, too
        for index in gpus:
            torch.cuda.default_generators[index].manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
