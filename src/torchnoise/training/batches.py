"""A batch taken apart: what the model is given, what the loss compares with, how many examples there are."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

from ..sites.tree import tensors

LABELS = ("labels", "label", "targets", "target", "y")  # the keys of a dict batch that hold what is to be learned


class Parts(NamedTuple):
    """args, kwargs: of the model's forward; target: None where the batch has none that we know."""

    args: tuple
    kwargs: dict[str, Any]
    target: Any


def take_apart(batch: Any, model: nn.Module, own_loss: bool) -> Parts:
    """A batch's parts: (x, y), or a dict of the model's arguments with labels.

    Labels are given to the model too, as Transformers' models expect, unless there is a loss of the user's own, or
    the model's forward does not take them.

    Raises:
        TypeError: a batch of another kind.
    """
    if isinstance(batch, Mapping):
        kwargs = dict(batch)
        key = next((k for k in LABELS if k in kwargs), None)
        if key is None:
            return Parts((), kwargs, None)
        target = kwargs[key]
        if own_loss or not _takes(model, key):
            del kwargs[key]
        return Parts((), kwargs, target)
    if isinstance(batch, tuple | list) and len(batch) == 2:
        return Parts((batch[0],), {}, batch[1])
    what = f"{type(batch).__name__} of {len(batch)}" if isinstance(batch, tuple | list) else type(batch).__name__
    raise TypeError(f"fit: a batch is a {what}, allowed: (x, y), or a dict of the model's arguments")


def _takes(model: nn.Module, name: str) -> bool:
    parameters = inspect.signature(model.forward).parameters
    return name in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def size_of(batch: Any) -> int:
    """The number of examples: the first axis of the first tensor that has one.

    Raises:
        TypeError: a batch without such a tensor.
    """
    found = next((t for _, t in tensors(batch) if t.dim()), None)
    if found is None:
        raise TypeError(f"fit: a batch ({type(batch).__name__}) holds no tensor with an axis of examples")
    return found.shape[0]


def field(output: Any, name: str) -> Any:
    """What a model's output calls `name`: an attribute, or a key; None where there is none."""
    if isinstance(output, Tensor):
        return None
    if isinstance(output, Mapping):
        return output.get(name)
    return getattr(output, name, None)


def logits_of(output: Any) -> Any:
    """The output's logits, as Transformers' outputs hold them, or the output itself."""
    logits = field(output, "logits")
    return output if logits is None else logits
