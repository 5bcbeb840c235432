"""More random words for kernels: the same function as streams/more.py, on numbers instead of tensors."""

from __future__ import annotations

from typing import Any

from ..streams.more import KEY
from .philox import philox
from .scalar import scalar, u32

_K0, _K1 = u32(KEY[0]), u32(KEY[1])


@scalar
def more_words(w0: Any, w1: Any, w2: Any, w3: Any) -> Any:
    """Four further words from the four words of a block."""
    return philox(w0, w1, w2, w3, _K0, _K1)
