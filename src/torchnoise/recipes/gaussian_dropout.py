"""Dropout's multiplicative noise, Gaussian instead of Bernoulli."""

from __future__ import annotations

from ..plan import Injection
from ..sites.site import Site
from ..sources import GaussianDropout


def gaussian_dropout(p: float, at: Site) -> Injection:
    """Multiplicative Gaussian noise with the mean and variance of dropout with probability p.

    Formula: x (1 + sqrt(p / (1 - p)) z), with z ~ N(0, 1) for each element.

    The paper takes the p that dropout would have, 0.5 in hidden layers and 0.2 on inputs.

    Args:
        p: from 0, below 1.
        at: where, such as Activations(torch.nn.ReLU).

    >>> from torch import nn
    >>> from torchnoise import Activations
    >>> print(gaussian_dropout(0.5, at=Activations(nn.ReLU)))
    GaussianDropout(0.5) at Activations(ReLU)

    Source: Srivastava et al., "Dropout", JMLR 15 (2014), section 10.
    """
    return Injection(GaussianDropout(p), at=at)
