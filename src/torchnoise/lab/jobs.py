"""Pieces of work, as engines carry them to other processes: train a network, measure one, advise strengths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from torch import nn

from .advise import advise
from .data import Part
from .measures import Measured, measure
from .measures.outputs import outputs_of
from .noises import Candidate
from .run import Bench, train
from .settings import Run
from .store import Record, from_bytes, to_bytes
from .treatments import Treatment


class TrainJob(NamedTuple):
    """keep: whether the weights come back, too."""

    run: Run
    key: str
    treatment: Treatment
    keep: bool


class MeasureJob(NamedTuple):
    """whole: every measure, not the test score alone."""

    key: str
    weights: bytes
    seed: int
    whole: bool


class AdviseJob(NamedTuple):
    """candidates: by name, fitted to the model."""

    weights: bytes
    candidates: Mapping[str, Candidate]
    rise: float


class Opened(NamedTuple):
    """What measuring needs: it has the test set, and exists only once every choice is made."""

    bench: Bench
    test: Part


def train_job(bench: Bench, job: TrainJob) -> tuple[Record, bytes | None]:
    """One run, and its weights if they are wanted."""
    net, outcome = train(job.run, job.treatment, bench)
    return Record(job.key, job.run, outcome), to_bytes(net) if job.keep else None


def measure_job(opened: Opened, job: MeasureJob) -> tuple[str, Measured]:
    """The measures of one trained network."""
    bench = opened.bench
    net = network(bench, job.weights)
    if job.whole:
        return job.key, measure(net, bench.model, bench.data, opened.test, seed=job.seed)
    scores = bench.data.task.scores(outputs_of(net, bench.model, opened.test.x), opened.test.y)
    return job.key, Measured.of_scores(scores, bench.data.kind)


def advise_job(bench: Bench, job: AdviseJob) -> dict[str, float | None]:
    """For each candidate the strength at which the validation loss rises by the stated share."""
    net = network(bench, job.weights)
    found = advise(net, bench.model, bench.data, job.candidates, rise=job.rise, seed=bench.seed)
    return {one.name: one.strength for one in found}


def network(bench: Bench, weights: bytes) -> nn.Module:
    """A network with these weights, in eval mode."""
    net = bench.model.build(0)
    net.load_state_dict(from_bytes(weights))
    return net.to(bench.device).eval()
