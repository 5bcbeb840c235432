"""What was measured of one trained network, as plain values; and of several, by seed, as results.json holds it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, FiniteFloat, PlainSerializer, PlainValidator
from torch import Tensor

from ..results import Corruption, Curve, Figures, Reliability
from .calibration import Bins
from .corruptions import CORRUPTIONS
from .lines import Line, finite


def _scores(given: Any) -> np.ndarray:
    return np.asarray(given, dtype=np.float32)  # None, as NaN is in JSON, is NaN again


Scores = Annotated[np.ndarray, PlainValidator(_scores), PlainSerializer(np.ndarray.tolist, when_used="json")]


class Measured(BaseModel):
    """One network. scores: of each test example, float32 [N];  score, train_score: their means;  bins: None where a
    number is learned;  corruptions: by name. None for what is not finite, or was not measured.

    model_dump(mode="json") and model_validate() keep every digit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scores: Scores
    kind: str
    score: FiniteFloat | None
    train_score: FiniteFloat | None = None
    nll: FiniteFloat | None = None
    bins: Bins | None = None
    corruptions: dict[str, Line] = {}
    fgsm: Line | None = None
    sharpness: Line | None = None

    @classmethod
    def of_scores(cls, scores: Tensor, kind: str) -> Measured:
        """Of a network of which nothing but its test scores was measured: float [N]."""
        return cls(scores=scores.float().numpy(), kind=kind, score=finite(float(scores.double().mean())))


def figures(measured: Sequence[Measured]) -> Figures | None:
    """The same over seeds, in the order given; None where a network's outputs for numbers were not finite."""
    nll = [one.nll for one in measured]
    gap = [None if one.train_score is None or one.score is None else one.train_score - one.score for one in measured]
    known_nll, known_gap = ([v for v in values if v is not None] for values in (nll, gap))
    if not measured or len(known_nll) < len(nll) or len(known_gap) < len(gap):
        return None
    bins = [one.bins for one in measured if one.bins is not None]
    return Figures(
        nll=known_nll,
        calibration_error=[b.error() for b in bins] if bins else None,
        reliability=reliability(reduce(add, bins)) if bins else None,
        gap=known_gap,
        corruptions=[
            Corruption(name=c.name, said=c.said, scores=curve)
            for c in CORRUPTIONS[measured[0].kind]
            if (curve := _curve([one.corruptions.get(c.name) for one in measured])) is not None
        ],
        fgsm=_curve([one.fgsm for one in measured]),
        sharpness=_curve([one.sharpness for one in measured]),
    )


def reliability(bins: Bins) -> Reliability:
    """The diagram's points, from the least sure on; bins without examples have none."""
    total = sum(bins.count)
    full = [row for row in zip(bins.count, bins.confidence, bins.right, strict=True) if row[0]]
    return Reliability(
        confidence=[confidence / count for count, confidence, _ in full],
        accuracy=[right / count for count, _, right in full],
        share=[count / total for count, _, _ in full],
    )


def _curve(lines: Sequence[Line | None]) -> Curve | None:
    """By seed; None where a seed has none."""
    known = [line for line in lines if line is not None]
    return Curve(x=known[0].x, y=[line.y for line in known]) if len(known) == len(lines) else None
