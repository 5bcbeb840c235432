"""Where a tensor's sequences run, and what must be left of each."""

from __future__ import annotations

from torch import Tensor


def sequence_axis(dims: int, batch_axis: int | None) -> int | None:
    """The axis along which sequences run: the last one that has no examples; None where there is none.

    >>> sequence_axis(2, 0), sequence_axis(2, 1), sequence_axis(1, 0)
    (1, 0, None)
    """
    return next((axis for axis in reversed(range(dims)) if axis != batch_axis), None)


def spare_one(hidden: Tensor, attended: Tensor, axis: int | None) -> Tensor:
    """`hidden`, less the first hidden position of each sequence of which nothing attended would be left.

    >>> import torch
    >>> hidden = torch.tensor([[True, True, False], [True, False, False]])
    >>> spare_one(hidden, torch.tensor([[True, True, False], [True, True, False]]), axis=1)
    tensor([[False,  True, False],
            [ True, False, False]])
    """
    if axis is None:  # each position is a sequence of its own
        return spare_one(hidden[..., None], attended[..., None], -1)[..., 0]
    nothing_left = ~(attended & ~hidden).any(axis, keepdim=True)
    first = hidden & (hidden.cumsum(axis) == 1)
    return hidden & ~(nothing_left & first)
