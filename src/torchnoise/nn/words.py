"""Word dropout: whole tokens, as ids or as vectors."""

from __future__ import annotations

import operator
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ..errors import check_number
from ..sites.masks import both, masked_like
from ..sources import Bernoulli
from .draw import with_noise

_ZERO = Bernoulli(0.0, combine="replace", value=0.0)


class WordDropout(nn.Module):
    """Drop whole tokens in training, identity in eval: ids become another id, vectors become zeros.

    Formula: with h = 1 with probability p for each token, ids: y = replace_with where h, x elsewhere; vectors:
    y = x (1 - h) for all dims of a token at once, times 1 / (1 - p) with rescale=True, which keeps the mean.

    Args:
        p: the probability, from 0 to 1. It may be changed between forwards.
        replace_with: the id that stands for a dropped word, such as that of [MASK] or of an unknown word; None for
            vectors.
        special: ids that are never dropped, such as those of [CLS], [SEP] and padding.
        rescale: whether vectors that stay are scaled up.

    Shapes: integer ids of any shape, or vectors [..., d] of floating point. `layer(x, mask)` drops only where `mask`
    (bool or 0/1, of the ids' shape or the vectors' leading axes, as attention_mask) is not 0. One key for each forward
    comes from torch's default generator.

    Raises:
        ValueError: p outside [0, 1]; ids without replace_with; special ids with vectors, which have none.
        TypeError: vectors where replace_with names an id.

    >>> import torch
    >>> layer = WordDropout(1.0, replace_with=3, special=[0, 1])
    >>> layer(torch.tensor([[0, 17, 25, 1]]))
    tensor([[0, 3, 3, 1]])
    >>> WordDropout(1.0)(torch.ones(1, 2, 2), mask=torch.tensor([[1, 0]]))
    tensor([[[0., 0.],
             [1., 1.]]])

    Source: Iyyer et al., "Deep unordered composition rivals syntactic methods for text classification", ACL 2015,
    section 3 (dropping words); Bowman et al., "Generating sentences from a continuous space", CoNLL 2016, section 3.1
    (replacing them by the unknown word).
    """

    def __init__(
        self, p: float, replace_with: int | None = None, special: Iterable[int] = (), rescale: bool = False
    ) -> None:
        super().__init__()
        self.p = check_number("WordDropout: p", p, 0.0, 1.0)
        if rescale and p == 1.0:
            raise ValueError("WordDropout: p is 1 with rescale=True, allowed: below 1, for nothing is left to scale")
        self.replace_with, self._noise = None, _ZERO
        if replace_with is not None:
            self.replace_with = operator.index(replace_with)
            self._noise = Bernoulli(0.0, combine="replace", value=self.replace_with)
        self.special = tuple(map(operator.index, special))
        self.rescale = bool(rescale)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        if not self.training or self.p == 0.0:
            return x
        return self._vectors(x, mask) if x.is_floating_point() else self._ids(x, mask)

    def _ids(self, ids: Tensor, mask: Tensor | None) -> Tensor:
        if self.replace_with is None:
            raise ValueError(
                f"WordDropout: x is {ids.dtype} without replace_with, allowed: the id that ids are replaced by"
            )
        keep = None if mask is None else masked_like(mask, ids, "WordDropout")
        for special in self.special:
            keep = both(keep, ids != special)
        return with_noise(ids, self._noise, self.p, "WordDropout", keep=keep)

    def _vectors(self, x: Tensor, mask: Tensor | None) -> Tensor:
        if self.replace_with is not None:
            raise TypeError(
                f"WordDropout: x is {x.dtype} and replace_with an id, allowed: integer ids, or replace_with=None"
            )
        if self.special:
            raise ValueError("WordDropout: vectors have no special ids, allowed: mask=, not 0 where a token may go")
        ones = torch.ones(x.shape[:-1], device=x.device)
        keep = None if mask is None else masked_like(mask, ones, "WordDropout")
        stays = with_noise(ones, _ZERO, self.p, "WordDropout", keep=keep)
        out = torch.where((stays != 0)[..., None], x, 0.0)
        return out / (1.0 - self.p) if self.rescale else out

    def extra_repr(self) -> str:
        more = "" if self.replace_with is None else f", replace_with={self.replace_with}, special={self.special}"
        return f"p={self.p:g}{more}" + (", rescale=True" if self.rescale else "")
