"""What a clock measured, in timing.json: never the same twice, and so apart from results.json."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, FiniteFloat


class Cost(BaseModel):
    """A noise's training step relative to a clean one: time, and the memory that is kept for backward."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    time: FiniteFloat
    memory: FiniteFloat


class Timing(BaseModel):
    """costs: by noise, at its chosen strength;  clean_step_ms: the clean step;  seconds: of training in all runs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    costs: dict[str, Cost]
    clean_step_ms: FiniteFloat
    seconds: FiniteFloat
