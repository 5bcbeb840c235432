"""A magnitude that is a parameter, with a penalty: noise that learns its own strength."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from ..errors import check_number
from ..magnitudes import Magnitude

if TYPE_CHECKING:
    from ..noise import Call, Noise


@dataclass(frozen=True)
class Learned(Magnitude):
    """A learned standard deviation sigma = exp(log sigma), one for each feature or one for all.

    Use it as a noise's magnitude, with strength 1: `Gaussian(1.0, relative_to=Learned(0.1, features=64))`. Give
    `noise.parameters()` to your optimizer and add `noise.penalty()`, weighted by 1 / N for N training examples.

    Formula of the penalty: KL(N(0, sigma^2) || N(0, prior^2)) = ln(prior / sigma) + sigma^2 / (2 prior^2) - 1/2,
    summed over features; 0 at sigma = prior, and without bound as sigma falls to 0, so that noise does not vanish.

    Args:
        start: sigma at the beginning, > 0.
        prior: the prior's standard deviation, > 0.
        features: the size of the last axis, or None for one sigma.

    >>> Learned(0.1).penalty(torch.tensor(0.0)).item()
    0.0

    Source: Kingma, Welling, "Auto-encoding variational Bayes", ICLR 2014, appendix B, for the divergence.
    """

    start: float = 0.1
    prior: float = 1.0
    features: int | None = None

    words: ClassVar[str] = "learned"  # type: ignore[misc]
    can_measure_again: ClassVar[bool] = False  # its gradient wants the tensor itself
    goes_with_factors: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name in ("start", "prior"):
            if check_number(f"Learned: {name}", getattr(self, name)) == 0:
                raise ValueError(f"Learned: {name} is 0, allowed: a positive number")

    def begin(self, model: nn.Module) -> dict[str, Any]:
        """A new log sigma, on the model's device."""
        device = next((p.device for p in model.parameters()), torch.device("cpu"))
        shape = () if self.features is None else (self.features,)
        return {"learned": nn.Parameter(torch.full(shape, math.log(self.start), device=device))}

    def scale_for(self, x: Tensor, call: Call, noise: Noise) -> Tensor:
        """sigma at one site: float32 [] or [features]."""
        log_sigma: Tensor = call.memory["learned"]
        if log_sigma.dim() and log_sigma.shape[0] != x.shape[-1]:
            raise ValueError(
                f"{call.site}: Learned(features={log_sigma.shape[0]}) for a last axis of {x.shape[-1]}; they must agree"
            )
        return log_sigma.exp().to(x.device)  # the model may have moved since

    def penalty(self, log_sigma: Tensor) -> Tensor:
        """The divergence from the prior, summed over features: float32 []."""
        ratio = log_sigma - math.log(self.prior)
        return ((2 * ratio).exp() / 2 - ratio - 0.5).sum()
