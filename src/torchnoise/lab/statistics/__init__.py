"""Intervals, choices and verdicts: pure functions of numbers.

squares, paired   a paired difference over seeds and test examples, and what chance does to it
power             what a comparison could have seen, and what it would take to see more
families          verdicts on one difference and on several at once
interaction       whether two treatments add up
search            which arms go on, which strength and which noise is chosen
sentences         the verdict as people read it
"""

from .families import adjusted_differences, differences_of, family, holm, verdict
from .interaction import MARGIN, adds_up, interaction_of, interactions_of
from .paired import Estimate, contrast, paired_difference
from .power import detectable, more_seeds
from .search import better_half, choose, next_arms
from .sentences import Words, summarise
from .squares import Spread
from .words import ADDS_UP, CONFIDENCE, DIVERGED, HELPS, HURTS, OVERLAPS, POWER, REINFORCES, UNSEEN, UNTOLD

__all__ = [
    "ADDS_UP",
    "CONFIDENCE",
    "DIVERGED",
    "HELPS",
    "HURTS",
    "MARGIN",
    "OVERLAPS",
    "POWER",
    "REINFORCES",
    "UNSEEN",
    "UNTOLD",
    "Estimate",
    "Spread",
    "Words",
    "adds_up",
    "adjusted_differences",
    "better_half",
    "choose",
    "contrast",
    "detectable",
    "differences_of",
    "family",
    "holm",
    "interaction_of",
    "interactions_of",
    "more_seeds",
    "next_arms",
    "paired_difference",
    "summarise",
    "verdict",
]
