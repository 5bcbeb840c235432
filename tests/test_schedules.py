"""Schedules against their formulas at 0, 1, the end and beyond."""

from __future__ import annotations

import math

import pytest

import torchnoise as tn
from torchnoise.schedules import Schedule


@pytest.mark.parametrize(
    ("schedule", "formula"),
    [
        (tn.constant(0.3), lambda t: 0.3),
        (tn.linear(1.0, 0.2, 10), lambda t: 1.0 - 0.8 * min(t / 10, 1)),
        (tn.linear(0.0, 2.0, 10), lambda t: 2 * min(t / 10, 1)),
        (tn.cosine(1.0, 0.2, 10), lambda t: 0.2 + 0.8 * (1 + math.cos(math.pi * min(t / 10, 1))) / 2),
        (tn.exponential(2.0, 0.5, 10), lambda t: 2 * 0.5 ** (t / 10)),
        (tn.power_decay(0.3, 0.55), lambda t: math.sqrt(0.3 / (1 + t) ** 0.55)),
        (tn.warm_up(10, then=tn.exponential(1.0, 0.9)), lambda t: 0.9**t * min(t / 10, 1)),
        (tn.window(1, 10, tn.constant(2.0)), lambda t: 2.0 if 1 <= t < 10 else 0.0),
        (
            tn.join([tn.linear(1.0, 0.0, 10), tn.constant(0.5), tn.linear(0.0, 1.0, 5)], [10, 12]),
            lambda t: 1 - t / 10 if t < 10 else 0.5 if t < 12 else min((t - 12) / 5, 1),
        ),
    ],
    ids=repr,
)
def test_formula(schedule: Schedule, formula: Schedule) -> None:
    for step in (0, 1, 5, 9, 10, 11, 12, 17, 1000, 2**32):
        assert schedule(step) == pytest.approx(formula(step), abs=1e-12)
        assert schedule(step) == schedule(step)


def test_any_function_of_the_step_will_do() -> None:
    import torch

    plan = tn.Injection(tn.Gaussian(2.0), at=tn.Inputs(), when=lambda t: t / 4)
    with tn.attach(torch.nn.Identity(), plan) as noise:
        strengths = []
        for _ in range(3):
            noise.model(torch.ones(2, 2))
            strengths.append(noise.report().rows[0].strength)
            noise.step()
    assert strengths == [0.0, 0.5, 1.0]


def test_schedules_print_themselves() -> None:
    assert repr(tn.power_decay(eta=0.01, gamma=0.55)) == "power_decay(eta=0.01, gamma=0.55)"
