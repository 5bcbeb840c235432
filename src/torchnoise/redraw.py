"""Noisy weights that autograd need not keep: they are drawn again when backward asks for them.

A layer saves the weight that it saw. While its forward runs, what is saved in a noisy weight's memory is replaced by a
note of how to draw it; everything else is saved as it is. A weight that is saved many times in one forward, as by
recurrent layers, is drawn once for all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Drawn:
    """One noisy weight of one forward: how to draw it again, and the drawing while a backward uses it."""

    def __init__(self, name: str, clean: Tensor, draw: Callable[[Tensor], Tensor]) -> None:
        self.name, self.clean, self.version, self.draw = name, clean, clean._version, draw
        self.saved = self.left = 0
        self.value: Tensor | None = None

    def again(self) -> Tensor:
        """The noisy weight, for one of those who saved it."""
        if self.value is None:
            if self.clean._version != self.version:
                raise RuntimeError(
                    f"{self.name}: changed in place between forward and backward (an optimizer's step?), so its noisy "
                    "value cannot be drawn again; run backward first"
                )
            with torch.no_grad():
                self.value, self.left = self.draw(self.clean.detach()), self.saved
        value, self.left = self.value, self.left - 1
        if self.left <= 0:
            self.value = None
        return value


class Part(NamedTuple):
    """What was saved of a noisy weight: the whole, or a view of it."""

    drawn: Drawn
    size: torch.Size
    stride: tuple[int, ...]
    offset: Any


_hooks: Any = torch._C._autograd


def drawn_again(weights: list[tuple[Tensor, Drawn]]) -> AbstractContextManager:
    """While this context lasts, autograd saves how to draw these noisy weights, and not the weights.

    Does nothing where somebody else decides what is saved: checkpoints, offloading, torch.compile.
    """
    if (
        torch.compiler.is_compiling()
        or not torch.is_grad_enabled()
        or not _hooks._saved_tensors_hooks_is_enabled()
        or _hooks._top_saved_tensors_default_hooks(False) is not None
    ):
        return nullcontext()
    # the memory is that of one weight as long as the weight lives, which is as long as the context
    known = {w.untyped_storage().data_ptr(): drawn for w, drawn in weights if w.numel()}

    def pack(saved: Tensor) -> Any:
        drawn = known.get(_memory(saved))
        if drawn is None:
            return saved, saved._version
        drawn.saved += 1
        return Part(drawn, saved.size(), saved.stride(), saved.storage_offset())

    return torch.autograd.graph.saved_tensors_hooks(pack, _unpack)


def _memory(tensor: Tensor) -> int:
    try:
        return tensor.untyped_storage().data_ptr()
    except (NotImplementedError, RuntimeError):  # sparse, or inside torch.func
        return 0


def _unpack(packed: Any) -> Tensor:
    if isinstance(packed, Part):
        return packed.drawn.again().as_strided(packed.size, packed.stride, packed.offset)
    saved, version = packed
    if saved._version != version:
        raise RuntimeError(
            "one of the variables needed for gradient computation has been modified by an inplace operation: "
            f"{saved.dtype} {tuple(saved.shape)} is at version {saved._version}, expected {version}"
        )
    return saved
