"""Gaussian noise on inputs."""

from __future__ import annotations

from ..plan import Injection
from ..sites import Inputs
from ..sources import Gaussian


def input_noise(std: float, *names: str) -> Injection:
    """Gaussian noise on what the model is given.

    Formula: x + std z, with z ~ N(0, 1) for each element. For small noise and a squared error this is, on average, a
    penalty of std^2 times the squared derivative of the outputs by the inputs; for a linear model, weight decay.

    Args:
        std: in the unit of x: look at your data's own scale first.
        names: of forward's arguments, where there are several.

    >>> print(input_noise(0.1))
    Gaussian(0.1) at Inputs()

    Source: Bishop, "Training with noise is equivalent to Tikhonov regularization", Neural Computation 7 (1995).
    """
    return Injection(Gaussian(std), at=Inputs(*names))
