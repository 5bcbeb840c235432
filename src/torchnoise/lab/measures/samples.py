"""What noisy inputs look like: a few examples as a network gets them, without and with a plan's noise on its inputs."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ... import Inputs, Plan, Tokens, active, attach
from ...sites.tree import tensors
from ..data import IMAGE, Data, Part
from ..models import Model
from ..results import Sample
from ..steps import ascends
from .outputs import padding_of
from .words import words_of

MANY_IMAGES, MANY_FEATURES, MANY_TEXTS = 6, 12, 2
SIDE = 64  # of an image; of larger ones every so-manieth pixel is shown
AMONG, FEWEST = 200, 6  # texts among which two are looked for, of at least so many tokens


def sample(plan: Plan, model: Model, data: Data, seed: int) -> Sample | None:
    """A few training examples without and with the plan's noise at the first step; None where it leaves inputs alone.

    Images: the first 6. Tables: the first 12 features of the first row. Texts: two short ones, word by word; where an
    encoder made numbers of them, the first one's 12 largest.
    """
    touching = Plan(*(one for one in plan if isinstance(one.at, Inputs | Tokens)))
    if not len(touching):
        return None
    tokens = not data.train.x.is_floating_point()
    part = _short_texts(data) if tokens else data.train.first(MANY_IMAGES)
    clean, noisy = received(touching, model, data, part, seed)
    if tokens:
        texts = [[words_of(row, was, data) for row, was in zip(x, clean, strict=True)] for x in (clean, noisy)]
        return Sample(kind="text", names=[], clean=[*texts[0]], noisy=[*texts[1]])  # type: ignore[list-item]
    if data.kind == IMAGE:
        names = [] if data.task.classes is None else [data.task.classes[int(y)] for y in part.y]
        return Sample(kind="image", names=names, clean=_images(clean), noisy=_images(noisy))
    names, columns = _columns(data, clean[0].flatten())
    return Sample(kind="table", names=names, clean=_row(clean, columns), noisy=_row(noisy, columns))


def received(plan: Plan, model: Model, data: Data, part: Part, seed: int) -> tuple[Tensor, Tensor]:
    """What a freshly built network's forward gets for a part's x, without and with noise."""
    net = model.build(seed).eval()
    with recording(net) as seen:
        model.outputs(net, part.x)
        with attach(net, plan, seed=seed, measure_every=0) as noise, active(net):
            outputs = model.outputs(net, part.x)
            if ascends(noise):
                noise.ascend(data.task.loss(outputs, part.y))
                model.outputs(net, part.x)
    place = _place(seen[0], part.x)
    clean, noisy = seen[0][place].detach(), seen[-1][place].detach()
    if clean.is_floating_point() and clean.numel() == part.x.numel():
        return clean.reshape(part.x.shape), noisy.reshape(part.x.shape)
    return clean, noisy


@contextmanager
def recording(net: nn.Module) -> Iterator[list[dict[str, Tensor]]]:
    """The tensors that each call of the network's own forward is given, by path; behind the noise that enters there."""
    seen: list[dict[str, Tensor]] = []
    original, had = net.forward, "forward" in net.__dict__

    @functools.wraps(original)
    def forward(*args: Any, **kwargs: Any) -> Any:
        seen.append({path: tensor.clone() for path, tensor in tensors((args, kwargs))})
        return original(*args, **kwargs)

    net.forward = forward
    try:
        yield seen
    finally:
        del net.forward
        if had:
            net.forward = original


def _place(seen: dict[str, Tensor], x: Tensor) -> str:
    """Which of the tensors is the inputs: the one that equals them (but for padding that was cut off), or the first of
    their kind."""
    kindred = [p for p, t in seen.items() if t.is_floating_point() == x.is_floating_point() and t.dtype != torch.bool]
    return next((p for p in kindred if seen[p].dim() == x.dim() and _equal(seen[p], x)), kindred[0])


def _equal(given: Tensor, x: Tensor) -> bool:
    return torch.equal(given, x if x.is_floating_point() else x[:, : given.shape[1]])


def _short_texts(data: Data) -> Part:
    """The shortest texts among the first ones that are no mere exclamations."""
    part = data.train
    lengths = (part.x[:AMONG] != padding_of(data.encoder)).sum(1)
    order = torch.where(lengths < FEWEST, lengths.max() + 1, lengths).argsort(stable=True)
    rows = order[:MANY_TEXTS]
    return Part(part.x[rows], part.y[rows])


def _images(x: Tensor) -> list[Any]:
    """Whole numbers 0 to 255: [height][width], or [height][width][3] of images with three channels or more."""
    step = -(-max(x.shape[-2:]) // SIDE)
    small = (x[..., ::step, ::step] * 255).nan_to_num().clamp(0, 255).round().to(torch.uint8)
    return small[:, :3].movedim(1, -1).tolist() if x.shape[1] >= 3 else small[:, 0].tolist()


def _columns(data: Data, row: Tensor) -> tuple[list[str], Tensor]:
    """Which features are shown, and their names: the first ones; of a text's words, of which most are not in it, the
    largest."""
    words = getattr(data.encoder, "words", None)
    if words is not None and len(words) == len(row):
        columns = row.sort(descending=True, stable=True).indices[:MANY_FEATURES]
        return [words[i] for i in columns], columns
    columns = torch.arange(min(MANY_FEATURES, len(row)))
    return [data.features[i] if i < len(data.features) else f"input {i + 1}" for i in columns.tolist()], columns


def _row(x: Tensor, columns: Tensor) -> list[Any]:
    """Some features of the first row, to six digits."""
    return [float(f"{value:.6g}") for value in x[0].flatten()[columns].nan_to_num().tolist()]
