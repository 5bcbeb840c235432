"""exp(x) - 1 in float64, from +, * and conversions alone: the same bits on every processor, unlike a library's exp.

exp(x) = 2^n exp(r) with n the whole number nearest to x / ln 2, and exp(r) - 1 by its series, so that small x keep all
their digits. Relative error below 1e-13; the results are rounded to float32.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

SERIES = tuple(1.0 / math.factorial(k) for k in range(1, 12))  # |r| <= ln(2) / 2: the next term is 2e-14 of the sum
PER_LN2, LN2 = 1.0 / math.log(2.0), math.log(2.0)
LOWEST, HIGHEST = -87.0, 88.0  # between them 2^n is a normal float32


def expm1(x: Tensor) -> Tensor:
    """exp(x) - 1: float64 to float64, x cut to [-87, 88].

    >>> float(expm1(torch.tensor(1.0, dtype=torch.float64)))
    1.718281828459...
    """
    x = x.clamp(LOWEST, HIGHEST)
    n = (x * PER_LN2 + 1024.5).to(torch.int32) - 1024
    r = x - n.to(torch.float64) * LN2
    total = r * SERIES[-1] + SERIES[-2]
    for c in reversed(SERIES[:-2]):
        total = total * r + c
    power = ((n + 127) << 23).view(torch.float32).to(torch.float64)
    return (power - 1.0) + power * (r * total)
