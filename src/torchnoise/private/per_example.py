"""Per-example clipping at the gradient site, for models of linear layers, from one ordinary backward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ..errors import check_number
from ..inject import Stream, address_stream
from ..sites.site import Site
from ..streams.secure import secure_words

if TYPE_CHECKING:
    from ..frame import Frame
    from ..noise import Noise
    from ..wiring import Wiring


@dataclass(frozen=True)
class PerExampleGradients(Site):
    """Gradients clipped example by example to `clip`, summed, noised, divided by the batch size: a step of DP-SGD.

    Formula: grad = (sum_i g_i min(1, clip / |g_i|) + clip * noise) / B, with g_i the gradient of example i's loss over
    all parameters; `Gaussian(sigma)` here has standard deviation sigma * clip on the sum. For nn.Linear on [B, n],
    |g_i|^2 is the sum over layers of |output gradient|^2 (|input|^2 + 1), so no per-example gradient is ever formed.

    The noise comes from the operating system's cryptographic generator; `simulation=True` takes it from the address
    instead, repeatable and therefore not private. There is no ledger here: this alone states no epsilon.

    Args:
        clip: the largest norm of one example's gradient, > 0.
        reduction: how the loss reduces its examples, "mean" or "sum".

    Raises:
        TypeError: a model with trainable parameters outside nn.Linear.

    >>> print(PerExampleGradients(clip=1.0))
    PerExampleGradients(clip=1.0)

    Source: Abadi et al., "Deep learning with differential privacy", CCS 2016, algorithm 1; Goodfellow, "Efficient
    per-example gradient computations", arXiv:1510.01799, for the norms.
    """

    clip: float
    reduction: str = "mean"
    simulation: bool = False

    def __post_init__(self) -> None:
        if check_number("PerExampleGradients: clip", self.clip) == 0:
            raise ValueError("PerExampleGradients: clip is 0, allowed: a positive number")
        if self.reduction not in ("mean", "sum"):
            raise ValueError(f"PerExampleGradients: reduction is {self.reduction!r}, allowed: 'mean', 'sum'")

    @property
    def stream(self) -> Stream:
        return address_stream if self.simulation else secure_words

    def check(self, noise: Noise) -> None:
        if noise.combine != "add" or noise.relative_to is not None:
            raise ValueError(f"PerExampleGradients: {noise}, allowed: absolute noise that is added")

    def install(self, model: nn.Module, wiring: Wiring) -> None:
        linear = {n: m for n, m in model.named_modules() if isinstance(m, nn.Linear)}
        inside = {p for m in linear.values() for p in m.parameters()}
        for name, parameter in model.named_parameters():
            if parameter.requires_grad and parameter not in inside:
                raise TypeError(
                    f"PerExampleGradients: {name!r} is not part of an nn.Linear, allowed: models of nn.Linear"
                )
        records: list[tuple[nn.Linear, Tensor, Tensor]] = []
        for layer in linear.values():
            wiring.carrier(layer).after.append(_recorder(layer, records, self.reduction == "mean"))
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                module = model.get_submodule(name.rpartition(".")[0])
                wiring.gradients.append((wiring.point(name, "gradient"), module))
        wiring.around_gradients.append((lambda: self._clip(records), lambda: self._average(model, records)))

    def _clip(self, records: list[tuple[nn.Linear, Tensor, Tensor]]) -> None:
        """Set every gradient to the clipped sum, in units of clip."""
        if len({id(m) for m, _, _ in records}) != len(records):
            records.clear()
            raise RuntimeError(
                "PerExampleGradients: a layer ran twice in one step, allowed: one forward and backward a step"
            )
        square = sum(g.square().sum(1) * (a.square().sum(1) + (m.bias is not None)) for m, a, g in records)
        factor = 1.0 / torch.as_tensor(square).sqrt().clamp(min=self.clip)
        for module, activation, grad in records:
            weighted = grad * factor[:, None]
            module.weight.grad = weighted.T @ activation
            if module.bias is not None:
                module.bias.grad = weighted.sum(0)

    def _average(self, model: nn.Module, records: list[tuple[nn.Linear, Tensor, Tensor]]) -> None:
        batch = records[0][1].shape[0] if self.reduction == "mean" and records else 1
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.grad.mul_(self.clip / max(batch, 1))
        records.clear()


def _recorder(module: nn.Linear, records: list[tuple[nn.Linear, Tensor, Tensor]], mean: bool) -> Any:
    def after(frame: Frame, args: tuple, kwargs: dict, out: Tensor) -> Tensor:
        if args[0].dim() != 2:
            raise ValueError(
                f"PerExampleGradients: an input of shape {tuple(args[0].shape)}, allowed: [batch, features]"
            )
        if out.requires_grad:
            rows = args[0].shape[0] if mean else 1  # the mean's 1 / B is inside the gradient
            out.register_hook(lambda grad: records.append((module, args[0].detach(), grad.detach() * rows)))
        return out

    return after
