"""Corruptions: inputs gone bad after training, at severities 1 (hardly felt) to 5 (clearly harmful)."""

from __future__ import annotations

from torch import nn

from ...data import IMAGE, TABLE, TEXT, Data, Part
from ...models import Model
from ..lines import Line
from ..outputs import is_tokens, limits, outputs_of
from .base import SEVERITIES, Corruption, generator
from .images import IMAGES
from .tables import TABLES
from .texts import TEXTS

CORRUPTIONS: dict[str, tuple[Corruption, ...]] = {IMAGE: IMAGES, TABLE: TABLES, TEXT: TEXTS}


def corruption_lines(net: nn.Module, model: Model, data: Data, test: Part, seed: int) -> dict[str, Line]:
    """The score at each severity of each corruption for this kind of data, by its name.

    On the first test examples, as many as `limits` says (R2 is of these). The corruption depends on the seed, its name
    and the severity alone: every network meets the same.
    """
    part = test.first(limits(net, is_tokens(test.x)).examples)
    lines = {}
    for one in CORRUPTIONS[data.kind]:
        scores = []
        for severity in SEVERITIES:
            x = one.apply(part, data, severity, generator(seed, one.name, severity))
            scores.append(float(data.task.scores(outputs_of(net, model, x), part.y).mean()))
        lines[one.name] = Line.of(SEVERITIES, scores)
    return lines


__all__ = ["CORRUPTIONS", "SEVERITIES", "Corruption", "corruption_lines", "generator"]
