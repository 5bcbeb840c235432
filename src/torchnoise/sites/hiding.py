"""The attention mask that belongs to token ids, and taking hidden tokens out of it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..sequence import sequence_axis, spare_one
from .site import Point
from .tree import rebuild, tensors

IDS, MASK = "input_ids", "attention_mask"


def mask_beside(path: str, arguments: Mapping[str, Any]) -> tuple[str, Tensor | None]:
    """Where the attention mask of the ids at `path` is, or would be, and the mask if there is one.

    >>> mask_beside("decoder_input_ids", {})
    ('decoder_attention_mask', None)
    """
    head, dot, name = path.rpartition(".")
    prefix = name.removesuffix(IDS) if name.endswith(IDS) else ""
    beside = head + dot + prefix + MASK
    given = dict(tensors(arguments))
    # ids in a dict may have their mask outside; the decoder's never have the encoder's
    place = beside if beside in given or prefix or MASK not in given else MASK
    return place, given.get(place)


def put(arguments: Mapping[str, Any], new: Mapping[str, Tensor]) -> dict[str, Any]:
    """The arguments with tensors by path; one at the top may be new among them.

    >>> put({"ids": None, "mask": None}, {"mask": torch.tensor(1)})
    {'ids': None, 'mask': tensor(1)}
    """
    rest, _ = rebuild(arguments, lambda path, _: new.get(path))
    return {**rest, **{path: tensor for path, tensor in new.items() if "." not in path}}


class Hiding:
    """What one point needs to hide tokens: the id that stands for a hidden one, and whether forward takes a mask."""

    def __init__(self, point: Point, model: nn.Module, pad_id: int, batch_axis: int | None) -> None:
        self.point, self.pad_id, self.batch_axis = point, pad_id, batch_axis
        self._accepted = inspect.signature(model.forward).parameters

    def no_ids(self, ids: Tensor) -> Tensor:
        """A tensor to draw on: -1 is no id, so that what is hit can be told from what is pad_id already."""
        whole = not ids.is_floating_point() and ids.dtype != torch.bool
        return torch.full_like(ids, -1, dtype=torch.int64 if whole else ids.dtype)

    def hide(self, ids: Tensor, drawn: Tensor, place: str, mask: Tensor | None) -> tuple[Tensor, dict[str, Tensor]]:
        """The ids without what was hit in `drawn`, and the new mask by its place, unless the model takes none.

        Raises:
            ValueError: a mask of another shape than the ids.
            LookupError: no mask, and no saying whether forward takes one.
        """
        noise = self.point.injection.noise
        mask = self._new_mask(ids, place) if mask is None else mask
        if mask is not None and mask.shape != ids.shape:
            raise ValueError(
                f"{self.point.name}: {place!r} has shape {tuple(mask.shape)}, allowed for {noise}: "
                f"that of the ids, {tuple(ids.shape)}"
            )
        attended = ids != self.pad_id if mask is None else mask != 0
        hidden = spare_one(drawn != -1, attended, sequence_axis(ids.dim(), self.batch_axis))
        masks = {} if mask is None else {place: mask.masked_fill(hidden, 0)}
        return torch.where(hidden, drawn.to(ids.dtype), ids), masks

    def _new_mask(self, ids: Tensor, place: str) -> Tensor | None:
        if place in self._accepted:
            return torch.ones_like(ids, dtype=torch.int64)
        if "." in place or any(p.kind is inspect.Parameter.VAR_KEYWORD for p in self._accepted.values()):
            raise LookupError(
                f"{self.point.name}: {self.point.injection.noise} hides tokens in the attention mask, and forward was "
                f"given no {place!r}, allowed: one of the ids' shape, of ones where there is no padding"
            )
        return None
