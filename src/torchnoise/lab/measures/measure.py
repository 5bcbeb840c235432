"""All that is measured of a trained network."""

from __future__ import annotations

from torch import nn

from ..data import Data, Part
from ..models import Model
from .calibration import bins_of, nll
from .corruptions import corruption_lines
from .fgsm import fgsm_line
from .lines import finite
from .measured import Measured
from .outputs import encoded, is_tokens, limits, outputs_of
from .sharpness import sharpness_line


def measure(net: nn.Module, model: Model, data: Data, test: Part, seed: int) -> Measured:
    """Measure a trained network, without noise attached. It stays as it is.

    The same network, data and seed give the same numbers. The seed decides the corruptions and the weights' noise, so
    networks that are compared get the same one. The training score is over the first 10,000 training examples, 5,000
    of token ids, 1,000 for a network of more than 5 million parameters.
    """
    test, task = encoded(test, data), data.task
    outputs = outputs_of(net, model, test.x)
    scores = task.scores(outputs, test.y)
    train = data.train.first(limits(net, is_tokens(test.x)).train)
    validation = (
        data.validation if task.classes is None else data.validation.first(1)
    )  # its error is a number's variance
    likelihood = nll(task, outputs, test.y, outputs_of(net, model, validation.x), validation.y)
    return Measured(
        scores=scores.float().numpy(),
        kind=data.kind,
        score=finite(float(scores.mean())),
        train_score=finite(float(task.scores(outputs_of(net, model, train.x), train.y).mean())),
        nll=finite(likelihood),
        bins=None if task.classes is None else bins_of(outputs, test.y),
        corruptions=corruption_lines(net, model, data, test, seed),
        fgsm=fgsm_line(net, model, data, test),
        sharpness=sharpness_line(net, model, data, seed),
    )
