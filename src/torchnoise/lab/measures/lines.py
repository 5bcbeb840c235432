"""A measured line: something against a rising quantity, for one network."""

from __future__ import annotations

import math
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict, FiniteFloat


def finite(value: float) -> float | None:
    """The number, or None where it is not one."""
    return float(value) if math.isfinite(value) else None


class Line(BaseModel):
    """y[i] belongs to x[i]; None where it is not finite."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    x: list[FiniteFloat]
    y: list[FiniteFloat | None]

    @classmethod
    def of(cls, x: Iterable[float], y: Iterable[float]) -> Line:
        """From numbers of any kind."""
        return cls(x=[float(v) for v in x], y=[finite(v) for v in y])
