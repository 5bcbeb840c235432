"""More random words, for sources that need more than one for each element."""

from __future__ import annotations

import torch
from torch import Tensor

from .philox import philox

KEY = (0x3C6EF372, 0xA54FF53A)  # fraction bits of sqrt(5) and sqrt(7): any constant would do


def more_words(words: Tensor) -> Tensor:
    """Four further words for each block of four: int64 [..., 4] -> int64 [..., 4].

    Philox of the words themselves, under a constant key. It permutes blocks, so that a block and its image are as
    independent as Philox's outputs at two counters are.
    """
    w0, w1, w2, w3 = words.unbind(-1)
    return philox((w0, w1, w2, w3), torch.tensor(KEY, dtype=torch.int64, device=words.device))
