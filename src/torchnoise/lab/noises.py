"""The candidates: which noises are tried, at which strengths. A new one is one row in CANDIDATES."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from .. import (
    Activations,
    Bernoulli,
    Gaussian,
    Gradients,
    Injection,
    Inputs,
    Plan,
    Uniform,
    Weights,
    power_decay,
)

CLEAN = "clean"


@dataclass(frozen=True)
class Candidate:
    """One noise to try.

    unit: what its strength is, in words;  ladder: the strengths to try, rising;  inject: strength -> Injection;
    code: the same injection as Python, with {s} for the strength, for people to copy.
    """

    name: str
    description: str
    unit: str
    ladder: tuple[float, ...]
    inject: Callable[[float], Injection]
    code: str

    def plan(self, strength: float) -> Plan:
        return Plan(self.inject(strength))

    def source(self, strength: float) -> tuple[str, ...]:
        """Four lines of Python that put this noise into a training script."""
        return (
            "import torch, torchnoise as tn",
            f"plan = tn.Plan(tn.Injection({self.code.format(s=repr(strength))}))",
            "with tn.attach(model, plan, seed=0, optimizer=optimizer):",
            "    train(model, optimizer)  # your training loop, as it is",
        )


# The ladders run from hardly felt to too much. Rungs of kindred noises match in standard deviation: uniform noise has
# half width / sqrt(3), and dropout at p corresponds to a factor of sigma sqrt(p / (1 - p)).
_ALL = (
    Candidate(
        "gaussian_input",
        "Gaussian noise on the input",
        "sigma",
        (0.05, 0.15, 0.3),
        lambda s: Injection(Gaussian(s), at=Inputs()),
        "tn.Gaussian({s}), at=tn.Inputs()",
    ),
    Candidate(
        "uniform_input",
        "Uniform noise on the input",
        "half width",
        (0.1, 0.25, 0.5),
        lambda s: Injection(Uniform(s), at=Inputs()),
        "tn.Uniform({s}), at=tn.Inputs()",
    ),
    Candidate(
        "weight",
        "Gaussian noise on the weights, relative to each matrix's rms",
        "sigma of rms",
        (0.1, 0.2, 0.4),
        lambda s: Injection(Gaussian(s, relative_to="rms"), at=Weights()),
        'tn.Gaussian({s}, relative_to="rms"), at=tn.Weights()',
    ),
    Candidate(
        "activation_add",
        "Gaussian noise added after each ReLU, relative to each example's rms",
        "sigma of rms",
        (0.1, 0.3, 0.6),
        lambda s: Injection(Gaussian(s, relative_to="rms"), at=Activations(nn.ReLU)),
        'tn.Gaussian({s}, relative_to="rms"), at=tn.Activations(torch.nn.ReLU)',
    ),
    Candidate(
        "activation_multiply",
        "Activations multiplied by 1 + Gaussian noise after each ReLU (Gaussian dropout)",
        "sigma, factor",
        (0.3, 0.5, 0.8),
        lambda s: Injection(Gaussian(s, combine="multiply"), at=Activations(nn.ReLU)),
        'tn.Gaussian({s}, combine="multiply"), at=tn.Activations(torch.nn.ReLU)',
    ),
    Candidate(
        "gradient",
        "Gaussian noise on the gradients, annealed: variance eta / (1 + step)^0.55",
        "eta",
        (0.0001, 0.001, 0.01),
        lambda s: Injection(Gaussian(1.0), at=Gradients(), when=power_decay(eta=s, gamma=0.55)),
        "tn.Gaussian(1.0), at=tn.Gradients(), when=tn.power_decay(eta={s}, gamma=0.55)",
    ),
    Candidate(
        "dropout",
        "Dropout after each ReLU",
        "p",
        (0.1, 0.2, 0.4),
        lambda s: Injection(Bernoulli(s), at=Activations(nn.ReLU)),
        "tn.Bernoulli({s}), at=tn.Activations(torch.nn.ReLU)",
    ),
)

CANDIDATES: dict[str, Candidate] = {c.name: c for c in _ALL}
