"""Weight noise for networks that will run on noisy analog hardware."""

from __future__ import annotations

from ..plan import Injection
from ..sites import Weights
from ..sites.site import Site
from ..sources import Gaussian


def hardware_aware(std: float, at: Site | None = None) -> Injection:
    """Gaussian noise on weights, relative to the largest weight of each matrix, as conductances have it.

    Formula: w + std max|W| z, with z ~ N(0, 1) for each weight, drawn anew each step.

    Train with the noise that the hardware will have; the paper's largest gain is where they agree. It clips weights to
    a few standard deviations besides, which keeps max|W| small: do that in your loop.

    Args:
        std: as a share of the largest weight, such as 0.04.
        at: which weights; all with two axes or more, where left out.

    >>> print(hardware_aware(0.04))
    Gaussian(0.04, relative_to='max') at Weights()

    Source: Joshi et al., "Accurate deep neural network inference using computational phase-change memory", Nature
    Communications 11, 2473 (2020).
    """
    return Injection(Gaussian(std, relative_to="max"), at=Weights() if at is None else at)
