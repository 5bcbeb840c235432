"""Per-example clipping at the gradient site, for models of linear layers, from one ordinary backward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from ..errors import check_number
from ..noise import RandomNoise
from ..oracle import Stream, address_stream
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
    all trained parameters; `Gaussian(sigma)` here has standard deviation sigma * clip on the sum. For nn.Linear,
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
        # other noises do not draw from this site's stream, and could be drawn again
        if not isinstance(noise, RandomNoise) or noise.combine != "add" or noise.relative_to is not None:
            raise ValueError(f"PerExampleGradients: {noise}, allowed: a source's absolute noise that is added")

    def install(self, model: nn.Module, wiring: Wiring) -> None:
        layers = [m for m in model.modules() if isinstance(m, nn.Linear)]
        trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
        inside = [p for m in layers for p in m.parameters()]
        for name, parameter in trained.items():
            if sum(p is parameter for p in inside) != 1:
                raise TypeError(
                    f"PerExampleGradients: {name!r} is not part of one nn.Linear, allowed: models of nn.Linear"
                )
        for name, module in model.named_modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                raise TypeError(f"PerExampleGradients: {name!r} mixes examples, allowed: a norm within each example")
        records: list[_Record] = []
        for layer in layers:
            wiring.carrier(layer).after.append(_recorder(layer, records, self.reduction == "mean"))
        for name in trained:
            module = model.get_submodule(name.rpartition(".")[0])
            wiring.gradients.append((wiring.point(name, "gradient"), module))
        wiring.around_gradients.append((lambda: self._clip(trained, records), lambda: self._average(trained, records)))

    def _clip(self, trained: dict[str, nn.Parameter], records: list[_Record]) -> None:
        """Set every gradient to the clipped sum, in units of clip."""
        try:
            self._check(trained, records)
        except RuntimeError:
            records.clear()
            raise
        square = sum(r.square() for r in records)
        factor = 1.0 / torch.as_tensor(square).sqrt().clamp(min=self.clip)
        for module, activation, grad in records:
            weighted = grad * factor[:, None]
            if module.weight.requires_grad:
                module.weight.grad = (weighted.T @ activation).to(module.weight.dtype)
            if module.bias is not None and module.bias.requires_grad:
                module.bias.grad = weighted.sum(0).to(module.bias.dtype)

    def _check(self, trained: dict[str, nn.Parameter], records: list[_Record]) -> None:
        """Whatever has a gradient must have been recorded, once: what is not clipped is not bounded."""
        ran = [id(r.module) for r in records]
        if len(set(ran)) != len(ran):
            raise RuntimeError(
                "PerExampleGradients: a layer ran twice in one step, allowed: one forward and backward a step"
            )
        seen = {id(p) for r in records for p in r.module.parameters()}
        for name, parameter in trained.items():
            if parameter.grad is not None and id(parameter) not in seen:
                raise RuntimeError(
                    f"PerExampleGradients: {name!r} has a gradient that was not recorded example by example, allowed: "
                    "a new forward in training mode and backward for each step, through the layer itself"
                )

    def _average(self, trained: dict[str, nn.Parameter], records: list[_Record]) -> None:
        batch = records[0].activation.shape[0] if self.reduction == "mean" and records else 1
        for parameter in trained.values():
            if parameter.grad is not None:
                parameter.grad.mul_(self.clip / max(batch, 1))
        records.clear()


class _Record(NamedTuple):
    """A layer's input and the gradient at its output, in float32 at least: [B, n], [B, m]."""

    module: nn.Linear
    activation: Tensor
    grad: Tensor

    def square(self) -> Tensor:
        """|g_i|^2 of this layer's trained parameters: [B]."""
        per_weight = self.activation.square().sum(1) * self.module.weight.requires_grad
        bias = self.module.bias is not None and self.module.bias.requires_grad
        return self.grad.square().sum(1) * (per_weight + bias)


def _recorder(module: nn.Linear, records: list[_Record], mean: bool) -> Any:
    def after(frame: Frame, args: tuple, kwargs: dict, out: Tensor) -> Tensor:
        given = args[0]
        if given.dim() != 2:
            raise ValueError(f"PerExampleGradients: an input of shape {tuple(given.shape)}, allowed: [batch, features]")
        if out.requires_grad:
            rows = given.shape[0] if mean else 1  # the mean's 1 / B is inside the gradient
            wide = torch.promote_types(given.dtype, torch.float32)
            out.register_hook(
                lambda g: records.append(_Record(module, given.detach().to(wide), g.detach().to(wide) * rows))
            )
        return out

    return after
