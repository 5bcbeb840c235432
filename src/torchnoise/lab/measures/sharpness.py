"""Flatness of the training loss: its mean under Gaussian noise on the weights, against the noise's radius.

This is the smoothed loss E L(w + sigma rms(w) z), z ~ N(0, 1), of which PAC-Bayesian bounds speak, and which training
with noise on the weights lowers. Each matrix's noise is relative to its own rms, so that scaling a layer up and the
next one down, which changes nothing in a ReLU network without biases, does not make it look sharper.

Sources: Keskar et al., "On large-batch training for deep learning: generalization gap and sharp minima", ICLR 2017
(that sharp minima generalise worse); Neyshabur et al., "Exploring generalization in deep learning", NeurIPS 2017 (the
expected rise under Gaussian noise, and its place in a PAC-Bayesian bound).
"""

from __future__ import annotations

from statistics import fmean

from torch import nn

from ... import Gaussian, Injection, Weights, active, attach
from ..data import Data, Part
from ..models import Model
from ..task import Task
from .lines import Line
from .outputs import is_tokens, limits, outputs_of

RADII = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)  # sigma, in each matrix's rms


def smoothed_loss(
    net: nn.Module, model: Model, task: Task, part: Part, radius: float, seed: int, draws: int = 4
) -> float:
    """The mean loss over some draws of the weights' noise. The same seed draws the same noise at every radius, for
    every network with these parameters.

    Raises:
        LookupError: no matrix that noise can enter.
        RuntimeError: a network with noise attached.
    """
    if radius == 0:
        return float(task.loss(outputs_of(net, model, part.x), part.y))
    injection = Injection(Gaussian(radius, relative_to="rms"), at=Weights())
    losses = []
    with attach(net, injection, seed=seed, measure_every=0):
        for draw in range(draws):
            with active(net, draw):
                losses.append(float(task.loss(outputs_of(net, model, part.x), part.y)))
    return fmean(losses)


def sharpness_line(net: nn.Module, model: Model, data: Data, seed: int) -> Line | None:
    """The smoothed loss of the first training examples, as many as `limits` says, at each radius; None where no weight
    is a matrix that noise can enter."""
    allowed = limits(net, is_tokens(data.train.x))
    part = data.train.first(allowed.examples)
    try:
        losses = [smoothed_loss(net, model, data.task, part, radius, seed, allowed.draws) for radius in RADII]
        return Line.of(RADII, losses)
    except LookupError:
        return None
