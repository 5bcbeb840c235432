"""What a graph holds for its backward."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def saved_bytes(model: nn.Module, x: Tensor) -> int:
    """The memory that the graph of a forward holds for its backward, each storage counted once.

    Tensors that a node keeps as attributes count as those that it saves.
    """
    held: dict[int, int] = {}

    def pack(t: Tensor) -> Tensor:
        held[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    def attributes(thing: object) -> None:
        if isinstance(thing, Tensor):
            pack(thing)
        elif isinstance(thing, tuple | list):
            for each in thing:
                attributes(each)

    def nodes(node: torch.autograd.graph.Node | None) -> None:
        if node is not None:
            attributes(tuple(getattr(node, "__dict__", {}).values()))
            for parent, _ in node.next_functions:
                nodes(parent)

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        out = model(x)
    assert out.requires_grad
    nodes(out.grad_fn)
    return sum(held.values())
