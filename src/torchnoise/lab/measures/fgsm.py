"""The score under the fast gradient sign method, against epsilon.

x + epsilon sign(dL/dx), in eval mode. Images: epsilon is absolute, and what comes out stays between 0 and 1. Other
numbers: epsilon is in units of the training part's rms. Token ids: on the embeddings, in units of their rms over the
training part's tokens; padding gets none.

Source: Goodfellow, Shlens, Szegedy, "Explaining and harnessing adversarial examples", ICLR 2015, section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from ..data import IMAGE, Data, Part
from ..models import Model
from .lines import Line
from .outputs import by_length, device_of, evaluating, is_tokens, limits, padding_of
from .places import AtEmbedding, AtInput, Place, embedding_of

OF_IMAGES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2)
OF_RMS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)


def fgsm_line(net: nn.Module, model: Model, data: Data, test: Part) -> Line | None:
    """The score at each epsilon; None where the outputs have no gradient by the input.

    On the first test examples, as many as `limits` says (R2 is of these).
    """
    some = limits(net, is_tokens(test.x))
    part = test.first(some.examples)
    place = _place(net, model, data)
    if place is None:
        return None
    epsilons = OF_IMAGES if data.kind == IMAGE else OF_RMS
    order, batches = _batches(part, model, some.chunk, device_of(net))
    with evaluating(net), _backward_in_eval(net):
        found = [attacked(place, data, x, y, epsilons) for x, y in batches]
    if any(outputs is None for outputs in found):
        return None
    by_epsilon = zip(*(outputs for outputs in found if outputs is not None), strict=True)
    scores = [float(data.task.scores(torch.cat(outputs), part.y[order]).mean()) for outputs in by_epsilon]
    return Line.of(epsilons, scores)


def attacked(place: Place, data: Data, x: Tensor, y: Tensor, epsilons: Sequence[float]) -> list[Tensor] | None:
    """The outputs for one batch at each epsilon, on the CPU; None where there is no gradient. No parameter gets one."""
    with torch.enable_grad():
        outputs, leaves = place.look(x)
        if not (outputs.requires_grad and leaves):
            return None
        # the sum: each example's gradient is its own, whoever is beside it
        gradients = torch.autograd.grad(data.task.losses(outputs, y).sum(), leaves, allow_unused=True)
    if all(gradient is None for gradient in gradients):
        return None
    signs = [torch.zeros_like(leaf) if g is None else g.sign() for leaf, g in zip(leaves, gradients, strict=True)]
    with torch.no_grad():
        return [place.moved(x, [epsilon * sign for sign in signs]).float().cpu() for epsilon in epsilons]


def _place(net: nn.Module, model: Model, data: Data) -> Place | None:
    """Where the perturbation enters, in which unit; None for token ids without an embedding."""
    x = data.train.x
    if x.is_floating_point():
        image = data.kind == IMAGE
        return AtInput(net, model, 1.0 if image else float(x.square().mean().sqrt()), (0.0, 1.0) if image else None)
    embedding = embedding_of(net)
    if embedding is None:
        return None
    place = AtEmbedding(net, model, embedding, padding_of(model.encoder))
    some = limits(net, tokens=True)
    _, batches = _batches(data.train.first(some.examples), model, some.chunk, device_of(net))
    with evaluating(net), torch.no_grad():
        place.measure(ids for ids, _ in batches)
    return place


def _batches(part: Part, model: Model, chunk: int, device: torch.device) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
    """The order in which examples run, and their batches."""
    order = by_length(part.x, padding_of(model.encoder))
    return order, [(part.x[rows].to(device), part.y[rows].to(device)) for rows in order.split(chunk)]


def _backward_in_eval(net: nn.Module) -> AbstractContextManager:
    """cuDNN's recurrent layers have no backward in eval mode; torch's own have."""
    recurrent = any(isinstance(module, nn.RNNBase) for module in net.modules())
    return torch.backends.cudnn.flags(enabled=False) if recurrent else nullcontext()
