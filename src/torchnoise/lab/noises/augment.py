"""Augmentations, to be combined with noise: values that change a batch's inputs, and travel to other processes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor


@dataclass(frozen=True)
class RandomShift:
    """Each image moves by up to `share` of its side, down or up and left or right; what comes in is its darkest value.

    x: [N, channels, height, width].
    """

    share: float

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        height, width = x.shape[-2:]
        index = [_moved(x, size, round(self.share * size), generator) for size in (height, width)]
        rows, columns = index[0][:, :, None], index[1][:, None, :]
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        place = rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1)
        moved = x.flatten(-2).gather(2, place.flatten(1)[:, None].expand(-1, x.shape[1], -1)).view_as(x)
        darkest = x.flatten(1).amin(1).view(-1, 1, 1, 1)
        return torch.where(inside[:, None], moved, darkest)


def _moved(x: Tensor, size: int, most: int, generator: Generator) -> Tensor:
    """For each image, where along a side each of its places takes its value from: int64 [N, size]."""
    by = torch.randint(-most, most + 1, (len(x), 1), generator=generator, device=generator.device).to(x.device)
    return torch.arange(size, device=x.device) + by


@dataclass(frozen=True)
class SwapFeatures:
    """Each feature, with probability `share`, takes the value that another row of the batch has there (swap noise).

    Source: Bahri et al., "SCARF", ICLR 2022, section 3, which corrupts features by draws from their own distribution.
    """

    share: float

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        where = generator.device
        hit = torch.rand(x.shape, generator=generator, device=where) < self.share
        row = torch.randint(len(x), x.shape, generator=generator, device=where)
        return torch.where(hit.to(x.device), x.gather(0, row.to(x.device)), x)


@dataclass(frozen=True)
class DropWords:
    """Each token id, but `special` ones, goes with probability `share`; the rest moves up, and `padding` fills the end.

    A text that would lose every ordinary token stays as it is. x: int64 [N, tokens].
    """

    share: float
    padding: int = 0
    special: tuple[int, ...] = (0,)

    def __call__(self, x: Tensor, generator: Generator) -> Tensor:
        ordinary = ~torch.isin(x, torch.tensor((self.padding, *self.special), device=x.device))
        drawn = torch.rand(x.shape, generator=generator, device=generator.device).to(x.device)
        gone = ordinary & (drawn < self.share)
        gone &= (ordinary & ~gone).any(1, keepdim=True)
        order = gone.to(torch.int8).argsort(dim=1, stable=True)
        return torch.where(gone, self.padding, x).gather(1, order)
