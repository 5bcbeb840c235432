"""Philox4x32-10 for kernels: the same function as streams/philox.py, on numbers instead of tensors."""

from __future__ import annotations

from typing import Any

from .scalar import scalar, u32, u64

_M0, _M1 = u64(0xD2511F53), u64(0xCD9E8D57)
_W0, _W1 = u32(0x9E3779B9), u32(0xBB67AE85)
_HIGH = u64(32)


@scalar
def philox(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> Any:
    """Four random words for one counter under one key, all uint32.

    Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011, section 5.3.
    """
    for _ in range(10):
        p0, p1 = u64(c0) * _M0, u64(c2) * _M1
        c0, c1, c2, c3 = u32(p1 >> _HIGH) ^ c1 ^ k0, u32(p1), u32(p0 >> _HIGH) ^ c3 ^ k1, u32(p0)
        k0, k1 = u32(k0 + _W0), u32(k1 + _W1)
    return c0, c1, c2, c3
