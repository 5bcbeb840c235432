"""What autograd holds for backward, for multiplicative noise on a tensor of 64 MB."""

from __future__ import annotations

import torch
from torch import Tensor

import torchnoise as tn


def held(out: Tensor) -> int:
    """Bytes that a graph keeps: what its nodes saved, and the tensors that they have as attributes."""
    found: dict[int, int] = {}

    def look(thing: object) -> None:
        if isinstance(thing, Tensor):
            found[thing.untyped_storage().data_ptr()] = thing.untyped_storage().nbytes()
        elif isinstance(thing, tuple | list):
            for each in thing:
                look(each)

    nodes = [out.grad_fn]
    while nodes:
        node = nodes.pop()
        if node is not None:
            names = [n for n in dir(node) if n.startswith("_saved_") and not n.startswith("_saved_tensors")]
            look([getattr(node, n) for n in names])
            look(list(getattr(node, "__dict__", {}).values()))
            look(getattr(node, "saved_tensors", ()))
            nodes += [parent for parent, _ in node.next_functions]
    return sum(found.values())


def lines() -> list[str]:
    """Both figures."""
    x = torch.ones(16, 1 << 20, requires_grad=True)
    usual = x * (1 + 0.1 * torch.randn_like(x))
    ours = tn.noisy(x, tn.Gaussian(0.1, combine="multiply"), tn.address(examples=16))
    return [
        "| saved for backward, multiplicative noise on 64 MB | bytes | reach |",
        "|---|---|---|",
        f"| x * (1 + s * randn_like(x)) | {held(usual):,} | |",
        f"| tn.noisy(x, tn.Gaussian(s, combine='multiply'), ...) | {held(ours):,} | 1,024 |",
    ]
