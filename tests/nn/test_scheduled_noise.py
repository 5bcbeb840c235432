"""ScheduledNoise: standard deviations in closed form, and who sets the step."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from cases import same
from layer_table import seeded
from torch import nn

import torchnoise as tn
from torchnoise.nn import ScheduledNoise, set_step

CURVES = {
    "linear": lambda t: 0.8 - 0.6 * t / 10,
    "cosine": lambda t: 0.2 + 0.6 * (1 + math.cos(math.pi * t / 10)) / 2,
    "exponential": lambda t: 0.8 * 0.25 ** (t / 10),
    tn.power_decay(1.0, 2.0): lambda t: 0.2 + 0.6 / (1 + t),
}


@pytest.mark.parametrize("schedule", CURVES, ids=str)
def test_std_at_every_step(schedule: object) -> None:
    """At 0, 1, in the middle, at the end and beyond. Broken on purpose: an exponential that goes on falling."""
    layer = ScheduledNoise(0.8, 0.2, 10, schedule)
    for t in range(13):
        layer.set_step(t)
        assert layer.current_step == t
        expected = CURVES[schedule](t) if t < 10 else 0.2
        assert layer.current_std == pytest.approx(expected, rel=1e-12)
    assert ScheduledNoise(0.0, 0.5, 2).std_at(1) == 0.25  # it may rise


def test_the_noise_follows_the_step() -> None:
    layer, x = ScheduledNoise(0.8, 0.2, 3), torch.zeros(1000)
    layer.set_step(0)
    first = seeded(layer, x)
    layer.step()
    torch.testing.assert_close(seeded(layer, x), first * 0.75)
    layer.set_step(99)
    torch.testing.assert_close(seeded(layer, x), first * 0.25)


def test_at_zero_it_draws_a_key_all_the_same() -> None:
    """So that a schedule's end does not change what other layers draw; x keeps its bits."""
    layer, x = ScheduledNoise(0.8, 0.0, 1), torch.tensor([-0.0, 1.0, float("nan")])
    layer.set_step(0)
    seeded(layer, x)
    expected = torch.get_rng_state()
    layer.set_step(1)
    assert same(seeded(layer, x), x)
    assert torch.equal(torch.get_rng_state(), expected)


def test_without_a_step_it_refuses_to_train() -> None:
    """Broken on purpose: a step of 0 to begin with, under which forgotten calls would go unseen."""
    layer, x = ScheduledNoise(0.1, 0.0, 10), torch.ones(2)
    with pytest.raises(RuntimeError, match=r"^ScheduledNoise: no step was given, allowed: set_step\(0\)[^\n]*$"):
        layer(x)
    assert layer.current_step is layer.current_std is None
    assert layer.eval()(x) is x
    layer.train().step()
    assert layer.current_step == 0
    layer(x)


def test_a_forward_counts_nothing() -> None:
    layer = ScheduledNoise(0.1, 0.0, 10)
    layer.set_step(3)
    for _ in range(5):
        layer(torch.ones(2))
    assert layer.current_step == 3


def test_set_step_in_a_model_and_after_a_resume() -> None:
    """state_dict has nothing of it, set_step(model, t) is all; a copy keeps the step."""
    model = nn.Sequential(ScheduledNoise(0.1, 0.0, 10), nn.Linear(2, 2), nn.Sequential(ScheduledNoise(0.3, 0.0, 10)))
    set_step(model, 5)
    assert [layer.current_std for layer in (model[0], model[2][0])] == [0.05, 0.15]
    assert list(model.state_dict()) == ["1.weight", "1.bias"]
    resumed = nn.Sequential(ScheduledNoise(0.1, 0.0, 10), nn.Linear(2, 2), nn.Sequential(ScheduledNoise(0.3, 0.0, 10)))
    resumed.load_state_dict(model.state_dict())
    set_step(resumed, 5)
    x = torch.ones(4, 2)
    assert same(seeded(resumed, x).detach(), seeded(model, x).detach())
    assert copy.deepcopy(model)[0].current_step == 5
    with pytest.raises(LookupError, match="set_step: Linear has no ScheduledNoise"):
        set_step(nn.Linear(2, 2), 5)


def test_a_new_step_compiles_nothing_anew() -> None:
    """Broken on purpose: a strength that is read as a number."""
    torch.compiler.reset()
    layer, x = ScheduledNoise(0.5, 0.0, 4), torch.ones(8)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    with torch._dynamo.config.patch(error_on_recompile=True):
        for t in range(6):
            layer.set_step(t)
            assert same(seeded(compiled, x), seeded(layer, x))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ((-0.1, 0.0, 10), "initial_std is -0.1, allowed: a number from 0"),
        ((0.1, -1.0, 10), "final_std is -1.0, allowed: a number from 0"),
        ((0.1, 0.0, 0), "decay_steps is 0, allowed: a whole number from 1"),
        ((0.1, 0.0, 1.5), "decay_steps is 1.5, allowed: a whole number from 1"),
        ((0.1, 0.0, 10, "cosin"), "schedule is 'cosin'; did you mean 'cosine'"),
        ((0.1, 0.0, 10, 3), "schedule is 3; there are 'linear', 'cosine', 'exponential'"),
        ((0.1, 0.0, 10, "exponential"), "initial_std, final_std are 0.1, 0, allowed under 'exponential': above 0"),
    ],
)
def test_bad_settings(settings: tuple, says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        ScheduledNoise(*settings)
    assert "\n" not in str(caught.value)


def test_bad_steps() -> None:
    layer = ScheduledNoise(0.1, 0.0, 10, lambda t: -5.0)
    for step in (-1, 1.0, True, None):
        with pytest.raises(ValueError, match=r"step is .*, allowed: a whole number from 0"):
            layer.set_step(step)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"std at step 3 is -0.5, allowed: a number from 0"):
        layer.set_step(3)
    assert layer.current_step is None
