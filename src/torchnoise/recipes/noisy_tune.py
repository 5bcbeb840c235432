"""NoisyTune: a pretrained model's parameters, perturbed once before fine-tuning."""

from __future__ import annotations

import torch
from torch import nn

from ..errors import check_number
from ..functional import address, noisy
from ..sources import Uniform


def noisy_tune(model: nn.Module, intensity: float = 0.15, seed: int = 0) -> None:
    """Perturb every parameter once, in place: for before the fine-tuning, not a part of it.

    Formula: W + u std(W), with u ~ U(-intensity / 2, intensity / 2) for each element and std(W) the population's
    standard deviation of each parameter tensor. Constant tensors (a norm's fresh scale) stay as they are.

    The paper takes intensities about 0.15. A parameter's name and the seed give its noise.

    Args:
        model: changed in place.
        intensity: lambda, from 0.
        seed: as for `attach`.

    >>> model = nn.Linear(8, 4)
    >>> before = model.weight.detach().clone()
    >>> noisy_tune(model, 0.15)
    >>> bool((model.weight - before).abs().max() <= 0.075 * before.std(correction=0))
    True

    Source: Wu et al., "NoisyTune: a little noise can help you finetune pretrained language models better", ACL 2022,
    section 2.
    """
    noise = Uniform(check_number("noisy_tune: intensity", intensity) / 2, relative_to="std")
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.is_floating_point():
                at = address(seed, path=name, device=parameter.device)
                parameter.copy_(noisy(parameter, noise, at, batch_axis=None))
