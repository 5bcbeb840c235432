"""Deep narrow ReLU networks, one by one and many at once.

`Deep` is a network as anybody would write it. `Stack` holds many of them side by side and trains them by the same
arithmetic in batched products; its noise has the addresses that `tn.attach` gives each network alone, so that both ways
end at the same weights but for rounding (tests/evidence/test_deep.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

import torchnoise as tn
from torchnoise.streams.address import Address, key_words, subkey

# standard deviation of the initial weights, of how many numbers come into a unit; biases begin at 0
INITS = {"simple": lambda into: 0.1, "zero": lambda into: 0.0, "He": lambda into: math.sqrt(2.0 / into)}


class Deep(nn.Module):
    """`layers` hidden layers of `width` rectified units. The weights of the hidden layers but the first are one
    parameter, so that noise on gradients takes six draws and not forty-two."""

    def __init__(self, inputs: int, layers: int, width: int, classes: int, init: str, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)

        def weights(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(shape, generator=generator) * INITS[init](shape[-1]))

        self.into, self.into_bias = weights(width, inputs), nn.Parameter(torch.zeros(width))
        self.hidden, self.hidden_bias = weights(layers - 1, width, width), nn.Parameter(torch.zeros(layers - 1, width))
        self.out, self.out_bias = weights(classes, width), nn.Parameter(torch.zeros(classes))

    def forward(self, x: Tensor) -> Tensor:
        h = functional.linear(x, self.into, self.into_bias).relu()
        for weight, bias in zip(self.hidden, self.hidden_bias, strict=True):
            h = functional.linear(h, weight, bias).relu()
        return functional.linear(h, self.out, self.out_bias)


class Stack:
    """Networks of one shape: each parameter of `Deep` with an axis of runs in front."""

    def __init__(self, networks: Sequence[Deep]) -> None:
        states = [dict(network.named_parameters()) for network in networks]
        self.weights = {n: torch.stack([s[n].detach() for s in states]) for n in states[0]}
        self.gradients = {n: torch.zeros_like(w) for n, w in self.weights.items()}

    def forward(self, x: Tensor) -> list[Tensor]:
        """What every layer gives, the logits last. x: [runs, batch, inputs]."""
        w = self.weights
        given = [torch.baddbmm(w["into_bias"].unsqueeze(1), x, w["into"].mT).relu_()]
        for weight, bias in zip(w["hidden"].unbind(1), w["hidden_bias"].unbind(1), strict=True):
            given.append(torch.baddbmm(bias.unsqueeze(1), given[-1], weight.mT).relu_())
        given.append(torch.baddbmm(w["out_bias"].unsqueeze(1), given[-1], w["out"].mT))
        return given

    def backward(self, x: Tensor, y: Tensor) -> None:
        """Fill `gradients` with those of each run's mean cross-entropy. y: [runs, batch]."""
        *given, logits = self.forward(x)
        d = torch.softmax(logits, 2)
        d.scatter_add_(2, y.unsqueeze(2), torch.full_like(d[:, :, :1], -1.0)).div_(y.shape[1])
        w, g = self.weights, self.gradients
        for layer in range(len(given), -1, -1):
            below = x if layer == 0 else given[layer - 1]
            name, at = ("out", ...) if layer == len(given) else ("into", ...) if layer == 0 else ("hidden", layer - 1)
            pick = slice(None) if at is ... else (slice(None), at)
            g[name][pick].copy_(torch.bmm(d.mT, below))
            g[f"{name}_bias"][pick].copy_(d.sum(1))
            if layer:
                d = torch.bmm(d, w[name][pick]).mul_(below > 0)

    def clip(self, most: float) -> Tensor:
        """Scale each run's gradients to a norm of at most `most`; their norms before, [runs]."""
        norms = torch.stack([torch.linalg.vector_norm(g.flatten(1), dim=1) for g in self.gradients.values()])
        norm = torch.linalg.vector_norm(norms, dim=0)
        scale = most / (norm + 1e-6)  # as torch.nn.utils.clip_grad_norm_
        for run in (~(scale >= 1)).nonzero()[:, 0].tolist():
            for g in self.gradients.values():
                g[run].mul_(scale[run])
        return norm

    def noise(self, runs: Mapping[int, Keys], sigma: float, step: int) -> None:
        """Add Gaussian noise to some runs' gradients, each from its own addresses."""
        at, scale = torch.tensor(step), torch.tensor(sigma)
        for run, keys in runs.items():
            for name, g in self.gradients.items():
                where = Address(keys.of[name], at, keys.examples)
                tn.noisy(g[run], keys.source, where, strength=scale, batch_axis=None, out=g[run])

    def step(self, rate: float) -> None:
        """Plain gradient descent."""
        torch._foreach_add_(list(self.weights.values()), list(self.gradients.values()), alpha=-rate)

    def accuracy(self, x: Tensor, y: Tensor) -> Tensor:
        """Per cent, [runs]; a run whose weights are no longer finite is right nowhere. x: [examples, inputs]."""
        logits = self.forward(x.expand(len(self.weights["out"]), -1, -1))[-1]
        right = (logits.argmax(2) == y) & logits.isfinite().all(2)
        return 100.0 * right.double().mean(1)


class Keys:
    """Where `tn.attach(network, tn.recipes.gradient_noise(), seed)` has the noise of each parameter's gradient."""

    source = tn.Gaussian(1.0)
    examples = torch.zeros(1, dtype=torch.int64)

    def __init__(self, seed: int, names: Sequence[str]) -> None:
        self.of = {n: torch.tensor(key_words(subkey(seed, n, "gradient/0"))) for n in names}
