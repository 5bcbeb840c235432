"""Annealed Gaussian noise on gradients."""

from __future__ import annotations

from ..plan import Injection
from ..schedules import power_decay
from ..sites import Gradients
from ..sources import Gaussian


def gradient_noise(eta: float = 0.01, gamma: float = 0.55) -> Injection:
    """Gaussian noise on every gradient, after clipping, that fades with the steps.

    Formula: g + N(0, sigma_t^2), with sigma_t^2 = eta / (1 + t)^gamma at step t.

    The paper takes eta from {0.01, 0.3, 1.0} and gamma = 0.55, with plain SGD. It helps where training very deep or
    badly initialised networks gets stuck; with a good initialisation the paper finds no gain.

    >>> print(gradient_noise())
    Gaussian(1) at Gradients() when power_decay(eta=0.01, gamma=0.55)

    Source: Neelakantan et al., "Adding gradient noise improves learning for very deep networks", arXiv:1511.06807,
    section 3.
    """
    return Injection(Gaussian(1.0), at=Gradients(), when=power_decay(eta, gamma))
