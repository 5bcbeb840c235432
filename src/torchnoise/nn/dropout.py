"""Dropout at the price of reading memory."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from ..functional import number
from ..inject import inject
from ..oracle import Static
from ..sources import Bernoulli
from .keys import fresh_address

_STATIC = Static(Bernoulli(0.0), "multiply", None)


class Dropout(nn.Dropout):
    """nn.Dropout, drawn by a kernel; in backward the mask is drawn again instead of being stored.

    Formula: in training, y = x h / (1 - p), h = 0 with probability p and 1 otherwise, for each element; y = x in eval.

    Args:
        p, inplace: as of nn.Dropout.

    Shapes: any. The key comes from torch's default generator, once for each forward, so that torch.manual_seed decides
    it and checkpointing with preserve_rng_state repeats it. The masks are others than nn.Dropout's at the same seed.

    >>> import torch
    >>> layer, x = Dropout(0.5), torch.ones(3)
    >>> _ = torch.manual_seed(0)
    >>> first = layer(x)
    >>> _ = torch.manual_seed(0)
    >>> torch.equal(layer(x), first), set(first.tolist()) <= {0.0, 2.0}, layer.eval()(x).tolist()
    (True, True, [1.0, 1.0, 1.0])

    Source: Srivastava et al., "Dropout", JMLR 15 (2014), section 4.
    """

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or self.p == 0.0:
            return input
        if not 0.0 < self.p < 1.0 or not input.is_floating_point():  # nothing to draw, or torch has the better error
            return F.dropout(input, self.p, True, self.inplace)
        out = inject(input, _STATIC, number(self.p, input.device), fresh_address(input))
        return input.copy_(out) if self.inplace else out
