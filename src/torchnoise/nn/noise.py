"""Any noise of torchnoise as a layer, and at one side of a linear layer."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from ..noise import Noise as AnyNoise
from ..noise import RandomNoise
from ..sources import Gaussian
from .draw import with_noise

_DEFAULT = Gaussian(0.1)


def drawn(noise: AnyNoise, layer: str) -> RandomNoise:
    """The noise, if it is one that is drawn and has nothing to learn or to remember."""
    if isinstance(noise, RandomNoise) and noise.can_draw_again:
        return noise
    raise TypeError(
        f"{layer}: noise is {noise}, allowed: a noise from a source, such as tn.Gaussian(0.1); for adversarial and "
        "learned noise, RunningStd and functions of your own use tn.attach"
    )


class Noise(nn.Module):
    """Any noise of torchnoise as a layer: x with noise in training, x itself in eval.

    Args:
        noise: a noise that is drawn, such as tn.Gaussian(0.1, relative_to="rms") or tn.Bernoulli(0.1).

    Shapes: as the noise takes them. Axis 0 has the examples; a tensor of fewer than two axes is one example. One key
    for each forward comes from torch's default generator.

    Raises:
        TypeError: what is no noise, or one that needs an attachment (adversarial, learned).

    >>> import torch
    >>> import torchnoise as tn
    >>> Noise(tn.Gaussian(0.1, relative_to="rms"))
    Noise(Gaussian(0.1, relative_to='rms'))
    >>> Noise(tn.Bernoulli(0.5)).eval()(torch.ones(2))
    tensor([1., 1.])
    """

    def __init__(self, noise: AnyNoise) -> None:
        super().__init__()
        self.noise = drawn(noise, "Noise")

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.noise.strength == 0.0:
            return x
        return with_noise(x, self.noise, self.noise.strength, "Noise", per_example=True)

    def extra_repr(self) -> str:
        return f"{self.noise}"


class Linear(nn.Linear):
    """nn.Linear with any noise of torchnoise at its input or its output. For noise on its weights: tn.nn.NoisyLinear.

    Formula: in training y = noise(x) W^T + b (side="input"), y = noise(x W^T + b) (side="output"); in eval neither.

    Args:
        in_features, out_features, bias, device, dtype: as of nn.Linear.
        noise: a noise that is drawn. Axis 0 has the examples; a tensor of fewer than two axes is one example.
        side: "input", "output".

    Shapes and state_dict: as of nn.Linear. One key for each forward comes from torch's default generator.

    Raises:
        TypeError: what is no noise, or one that needs an attachment (adversarial, learned). ValueError: another side.

    >>> import torch
    >>> import torchnoise as tn
    >>> layer = Linear(3, 2, noise=tn.Gaussian(0.1), side="output")
    >>> sorted(layer.state_dict()), layer(torch.ones(4, 3)).shape
    (['bias', 'weight'], torch.Size([4, 2]))

    Source: Bishop, "Training with noise is equivalent to Tikhonov regularization", Neural Computation 7 (1995), for
    noise at the input.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        noise: AnyNoise = _DEFAULT,
        side: str = "input",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if side not in ("input", "output"):
            raise ValueError(f"Linear: side is {side!r}, allowed: 'input', 'output'")
        noise = drawn(noise, "Linear")
        super().__init__(in_features, out_features, bias, device, dtype)
        self.noise, self.side = noise, side

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or self.noise.strength == 0.0:
            return F.linear(input, self.weight, self.bias)
        if self.side == "input":
            return F.linear(self._noisy(input), self.weight, self.bias)
        return self._noisy(F.linear(input, self.weight, self.bias))

    def _noisy(self, x: Tensor) -> Tensor:
        return with_noise(x, self.noise, self.noise.strength, "Linear", per_example=True)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, noise={self.noise}, side={self.side!r}"
