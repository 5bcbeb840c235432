"""The words of verdicts, and the confidence behind them."""

from __future__ import annotations

CONFIDENCE = 0.95
POWER = 0.8  # "four times in five"

HELPS, HURTS, UNSEEN, DIVERGED = "helps", "hurts", "no difference seen", "diverged"
ADDS_UP, OVERLAPS, REINFORCES, UNTOLD = "adds up", "overlaps", "reinforces", "cannot be told"
