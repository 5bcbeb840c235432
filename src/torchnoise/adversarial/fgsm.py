"""The fast gradient sign method, at any site."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..noise import Call, Noise


@dataclass(frozen=True)
class FGSM(Noise):
    """The fast gradient sign method: strength times the sign of the loss's gradient, where the noise enters.

    Formula: x + epsilon m(x) sign(dL/dx), with m(x) what `relative_to` says. The first forward of a step is clean and
    remembers x; `noise.ascend(loss)` takes the gradient there; forwards after it, until the next step, get the noise.

    Args:
        strength: epsilon, the Linf radius, in the unit of x or in units of m(x).

    Raises:
        ValueError: a negative, infinite or NaN radius; a combine other than "add".

    >>> import torchnoise as tn
    >>> model = torch.nn.Linear(3, 1, bias=False)
    >>> with tn.attach(model, tn.Injection(tn.FGSM(0.1), at=tn.Inputs())) as noise:
    ...     loss = model(torch.zeros(1, 3)).sum()
    ...     noise.ascend(loss)
    ...     raised = model(torch.zeros(1, 3)).sum()
    >>> torch.allclose(raised - loss, 0.1 * model.weight.abs().sum())
    True

    Source: Goodfellow, Shlens, Szegedy, "Explaining and harnessing adversarial examples", ICLR 2015, section 4.
    """

    allowed: ClassVar[tuple[str, ...]] = ("add",)
    needs_forward: ClassVar[bool] = True
    unit_of_strength: ClassVar[str] = "Linf radius"

    def left_undone(self, scratch: dict[str, Any]) -> str | None:
        if scratch.get("taps") and not scratch.get("directions"):
            return "no gradient was taken, so no noise entered; call noise.ascend(loss) between two forwards"
        return None

    def inject(self, x: Tensor, call: Call) -> Tensor:
        if torch.compiler.is_compiling():
            raise RuntimeError(
                f"{call.site}: {self} remembers tensors between two forwards; run it without torch.compile"
            )
        self.check_floating(x, call)
        directions, taps = call.scratch.setdefault("directions", {}), call.scratch.setdefault("taps", {})
        place = (call.start, call.number)  # a further micro-batch begins clean
        direction = directions.get(place)
        if direction is None:
            if torch.is_grad_enabled():
                x = taps[place] = x if x.requires_grad else x.detach().requires_grad_()
            return x
        if direction.shape != x.shape:
            raise ValueError(
                f"{call.site}: the gradient is of shape {tuple(direction.shape)}, the tensor of {tuple(x.shape)}; "
                "call ascend() on this batch's loss, and step() before the next batch"
            )
        scale = self.scale(x, call)
        out = x + direction * call.strength * (1.0 if scale is None else scale)
        out = out.to(x.dtype)
        return out if call.keep is None else torch.where(call.keep, out, x)
