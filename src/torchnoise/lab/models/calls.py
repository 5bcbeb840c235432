"""How models are called: what they are given for a batch, and what is taken of their answer."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...training.batches import logits_of

PADDING = 0  # the word id that is no word


def real_tokens(ids: Tensor, padding: int) -> tuple[Tensor, Tensor]:
    """A batch's ids [N, tokens] without the last columns where all is padding, and their mask: 0 at padding, else 1.

    The first token counts whatever it is: a softmax over no token is not a number.

    >>> import torch
    >>> real_tokens(torch.tensor([[5, 7, 0, 0], [6, 0, 0, 0]]), 0)
    (tensor([[5, 7],
            [6, 0]]), tensor([[1, 1],
            [1, 0]]))
    """
    mask = ids != padding
    mask[:, 0] = True
    width = int(mask.any(0).nonzero()[-1]) + 1
    return ids[:, :width], mask[:, :width].long()


def rows_of(output: Any) -> Any:
    """A model's answer as [N, outputs]: the logits of Transformers' outputs, a tuple's first; [N] becomes [N, 1]."""
    output = logits_of(output)
    if isinstance(output, tuple | list) and output:
        output = output[0]
    return output[:, None] if isinstance(output, Tensor) and output.dim() == 1 else output
