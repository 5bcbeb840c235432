"""Huge pages for large fresh outputs: without them, the system's page faults take longer than drawing the noise."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from functools import cache

from torch import Tensor

_HUGE = 1 << 21  # bytes of a huge page
LEAST = 2 * _HUGE
_MADV_HUGEPAGE = 14


@cache
def _madvise() -> Callable[[int, int, int], int] | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        function = ctypes.CDLL(None).madvise
    except (OSError, AttributeError):
        return None
    function.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    return function


def ask_for_huge_pages(fresh: Tensor) -> None:
    """Tell the system that this tensor, which nobody has written to yet, may lie in huge pages. A hint, no more."""
    size = fresh.numel() * fresh.element_size()
    if size >= LEAST and (madvise := _madvise()) is not None:
        begin, end = fresh.data_ptr() + _HUGE - 1 & -_HUGE, fresh.data_ptr() + size & -_HUGE
        if begin < end:
            madvise(begin, end - begin, _MADV_HUGEPAGE)
