"""DropConnect: dropout of weights."""

from __future__ import annotations

from ..plan import Injection
from ..sites import Weights
from ..sites.site import Site
from ..sources import Bernoulli


def dropconnect(p: float = 0.5, at: Site | None = None) -> Injection:
    """Each weight is 0 with probability p while a training step lasts.

    Formula: w h / (1 - p), with h = 0 with probability p, else 1.

    The paper takes p = 0.5 in fully connected layers. Two things differ from it: a step has one mask for the whole
    batch, not one for each example; and the mean is kept in training by 1 / (1 - p), where the paper draws from a
    Gaussian approximation at test time.

    Args:
        p: from 0, below 1.
        at: which weights, such as Weights("classifier.*"); all with two axes or more, where left out.

    >>> print(dropconnect(0.5))
    Bernoulli(0.5) at Weights()

    Source: Wan et al., "Regularization of neural networks using DropConnect", ICML 2013, section 3.
    """
    return Injection(Bernoulli(p), at=Weights() if at is None else at)
