"""A training step's loss, as `torchnoise.fit` takes it: with adversarial noise, the mean of a clean and a noisy one."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from .. import Attachment


def ascends(noise: Attachment) -> bool:
    """Whether adversarial noise waits for a gradient."""
    return any(injection.noise.needs_forward for injection in noise.plan)


def training_loss(forward: Callable[[], Tensor], noise: Attachment | None) -> Tensor:
    """The loss that a step goes back from. forward: a forward and its loss."""
    loss = forward()
    if noise is None or not ascends(noise):
        return loss
    noise.ascend(loss, retain_graph=True)
    return 0.5 * loss + 0.5 * forward()
