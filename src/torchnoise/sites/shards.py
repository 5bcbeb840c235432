"""Sharded tensors: the noise of an element depends on its logical place, never on which rank holds it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def is_sharded(x: Tensor) -> bool:
    """Whether x is a DTensor."""
    return hasattr(x, "device_mesh") and hasattr(x, "to_local")


def noise_shard(x: Any, elementwise: bool, inject: Callable[[Tensor, int], Tensor]) -> None:
    """Inject into a DTensor in place. inject(tensor, first element's logical number) -> tensor.

    Shards of whole rows draw their own elements. Other layouts, and magnitudes of the whole tensor, are gathered,
    injected and cut again: right, and as dear as the gather.
    """
    from torch.distributed.tensor import Replicate, Shard, distribute_tensor
    from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

    local = x.to_local()
    cut = [p for p in x.placements if not isinstance(p, Replicate)]
    if elementwise and all(type(p) is Shard and p.dim == 0 for p in cut):
        _, offset = compute_local_shape_and_global_offset(x.shape, x.device_mesh, x.placements)
        row = torch.Size(x.shape[1:]).numel()
        if local.numel():
            local.copy_(inject(local, offset[0] * row if cut else 0))
        return
    whole = inject(x.full_tensor(), 0)
    # every rank has the whole already, so nothing is sent; a Partial gets its share, so that the sum is the whole
    local.copy_(distribute_tensor(whole, x.device_mesh, x.placements, src_data_rank=None).to_local())
