"""Noise in eval, on purpose: for a moment, or to predict with many samples."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .attach import runner_of
from .sites.tree import tensors


@contextmanager
def active(model: nn.Module, sample: int = 0) -> Iterator[None]:
    """Let attached noise enter although the model is in eval mode; dropout and batch norm stay in eval.

    It draws other noise than training does, and another for each `sample`; training's own noise goes on undisturbed.
    The fused inference path of torch's Transformer layers, which skips their modules, is switched off meanwhile.

    Raises:
        LookupError: a model without noise attached.

    >>> import torchnoise as tn
    >>> model = torch.nn.Linear(2, 1).eval()
    >>> x = torch.ones(1, 2)
    >>> with tn.attach(model, tn.Injection(tn.Gaussian(1.0), at=tn.Inputs())):
    ...     clean = model(x)
    ...     with tn.active(model):
    ...         noisy = model(x)
    >>> torch.equal(clean, noisy)
    False
    """
    runner = runner_of(model)
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with runner.forced(f"active.{sample}"):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


def _prediction(out: Any, output: str) -> Tensor:
    """The tensor that counts: what is called logits, otherwise the first of floating point."""
    found = [(p, t) for p, t in tensors(out) if t.is_floating_point()]
    value = next((t for p, t in found if p == "logits"), found[0][1] if found else None)
    if value is None or (output != "values" and value.dim() == 0):
        given = "no floating-point tensor" if value is None else "a single number (a loss?)"
        raise ValueError(f"predict: the model returned {given}, allowed: {output} with a last axis")
    if output == "logits" and value.dim() and value.shape[-1] == 1:
        raise ValueError("predict: a softmax over one output is 1 whatever it is, allowed for numbers: output='values'")
    return value


class Prediction(NamedTuple):
    """What `predict` found, over the samples: mean and variance of the outputs' shape; entropy in nats, or None."""

    mean: Tensor
    variance: Tensor
    entropy: Tensor | None


def predict(model: nn.Module, *inputs: Any, samples: int = 32, output: str = "logits", **named: Any) -> Prediction:
    """The model's predictive distribution under its attached noise, in eval mode and without gradients.

    Args:
        model: a model with noise attached. Its modes (training or not, module by module) are restored.
        inputs, named: what its forward takes. Of what it returns, `logits` counts, or the first floating-point tensor.
        samples: how many draws.
        output: "logits" (softmax over the last axis first), "probabilities", or "values" (no entropy).

    Returns:
        mean: the mean prediction;  variance: over samples (population);  entropy: -sum p ln p of the mean, last axis.

    >>> import torchnoise as tn
    >>> model = torch.nn.Linear(2, 3)
    >>> with tn.attach(model, tn.Injection(tn.Gaussian(0.5), at=tn.Inputs())):
    ...     p = tn.predict(model, torch.ones(4, 2), samples=8)
    >>> p.mean.shape, p.entropy.shape
    (torch.Size([4, 3]), torch.Size([4]))

    Source: Gal, Ghahramani, "Dropout as a Bayesian approximation", ICML 2016, section 4.
    """
    if output not in ("logits", "probabilities", "values"):
        raise ValueError(f"predict: output is {output!r}, allowed: 'logits', 'probabilities', 'values'")
    if isinstance(samples, bool) or not isinstance(samples, int) or samples < 1:
        raise ValueError(f"predict: samples is {samples!r}, allowed: a whole number from 1")
    modes = {m: m.training for m in model.modules()}
    mean = square = torch.zeros((), dtype=torch.float64)
    try:
        model.eval()
        for sample in range(samples):
            with torch.no_grad(), active(model, sample):
                out = model(*inputs, **named)
            value = _prediction(out, output).to(torch.float64)
            if output == "logits":
                value = value.softmax(-1)
            # Welford's update: the variance of nearly equal samples keeps its digits
            delta = value - mean
            mean = mean + delta / (sample + 1)
            square = square + delta * (value - mean)
    finally:
        for module, mode in modes.items():
            module.training = mode
    entropy = None if output == "values" else -torch.special.xlogy(mean, mean).sum(-1)
    return Prediction(mean.float(), (square / samples).float(), None if entropy is None else entropy.float())
