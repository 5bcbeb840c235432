"""Running a trained network where nothing is learned: in eval mode, in chunks, on no more examples than it can bear."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..data import Data, Part
from ..models import Model

LARGE = 5_000_000  # parameters


class Limits(NamedTuple):
    """examples: for measures that run the network dozens of times;  train: training examples for the training score;
    chunk: how many run at once;  draws: of noise on the weights, at each radius."""

    examples: int
    train: int
    chunk: int
    draws: int


def limits(net: nn.Module, tokens: bool = False) -> Limits:
    """How many examples a network is measured on: 1,000; 500 where it reads token ids; 100 of more than 5 million
    parameters, which take seconds for them."""
    if sum(p.numel() for p in net.parameters()) > LARGE:
        return Limits(100, 300, 64, 2)
    return Limits(500, 5_000, 128, 4) if tokens else Limits(1_000, 10_000, 1_024, 4)


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """Eval mode for a while; each module's own mode comes back."""
    modes = [(module, module.training) for module in net.modules()]
    net.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def device_of(net: nn.Module) -> torch.device:
    """Where the network's parameters are."""
    return next((p.device for p in net.parameters()), torch.device("cpu"))


def outputs_of(net: nn.Module, model: Model, x: Tensor) -> Tensor:
    """What the network gives for x in eval mode: float32 [N, outputs] on the CPU."""
    device, order = device_of(net), by_length(x, padding_of(model.encoder))
    chunk = limits(net, is_tokens(x)).chunk
    with evaluating(net), torch.no_grad():
        found = torch.cat([model.outputs(net, x[rows].to(device)).float().cpu() for rows in order.split(chunk)])
    return torch.empty_like(found).index_copy_(0, order, found)


def is_tokens(x: Tensor) -> bool:
    """Whether x is token ids."""
    return not x.is_floating_point()


def by_length(x: Tensor, padding: int) -> Tensor:
    """The order in which x runs: texts from the shortest on, so that models that cut padding off have little to do."""
    return (x != padding).sum(1).argsort(stable=True) if is_tokens(x) else torch.arange(len(x))


def padding_of(encoder: object) -> int:
    """The token id that fills up the texts of an encoder."""
    return int(getattr(encoder, "padding", 0))


def encoded(part: Part, data: Data) -> Part:
    """Text with x made of it, where that was not done yet; other parts as they are."""
    if part.texts is None or part.x.numel() or data.encoder is None:
        return part
    return part.encoded(data.encoder)
