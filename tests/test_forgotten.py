"""What a newcomer forgets is said, not passed over."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from cases import data, net
from torch import nn

import torchnoise as tn


def test_a_loop_that_counts_no_steps_is_told_so() -> None:
    """Where a schedule stands still; not where there is none, nor after an error. Broken on purpose: never said."""
    late = tn.Injection(tn.Gaussian(0.1), at=tn.Inputs(), when=tn.warm_up(10))
    always = tn.Injection(tn.Gaussian(0.1), at=tn.Inputs())

    def loop(plan: tn.Injection, count: bool) -> None:
        model = net()
        with tn.attach(model, plan) as noise:
            for _ in range(10):
                model(data())
                if count:
                    noise.step()

    with pytest.warns(tn.NoEffectWarning, match="10 forwards and no step"):
        loop(late, count=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loop(late, count=True)
        loop(always, count=False)


def test_another_models_optimizer_is_refused() -> None:
    """By attach, whose steps it would count, and by fit, which would train nothing."""
    other = torch.optim.SGD(net().parameters(), lr=0.1)
    with pytest.raises(ValueError, match="holds no parameter of this Net"):
        tn.attach(net(), tn.Injection(tn.Gaussian(0.1), at=tn.Inputs()), optimizer=other)
    with pytest.raises(ValueError, match="holds no parameter of this Net"):
        tn.fit(net(), [(data(), torch.zeros(8, dtype=torch.int64))], optimizer=other, progress=False)


def test_the_report_measures_the_first_noise_that_enters() -> None:
    """Also where a schedule begins at 0."""
    model = net()
    with tn.attach(model, tn.Injection(tn.Gaussian(0.1), at=tn.Inputs(), when=tn.warm_up(10))) as noise:
        for _ in range(3):
            model(data())
            noise.step()
        (row,) = noise.report().rows
    assert row.measured_at == 1
    assert row.rms == pytest.approx(0.01, rel=0.5)


def test_the_report_says_how_many_tokens_changed() -> None:
    """A share of the positions that may change."""
    ids = torch.randint(5, 20, (8, 50), generator=torch.Generator().manual_seed(0))
    plan = tn.Injection(tn.MaskTokens(0.5, mask_id=3), at=tn.Tokens(special=[7]))
    with tn.attach(nn.Identity(), plan) as noise:
        out = noise.model(ids)
        (row,) = noise.report().rows
        shown = str(noise.report())
    assert row.changed == pytest.approx(float((out != ids)[ids != 7].double().mean()))
    assert row.rms is None
    assert f"{row.changed:.1%} changed" in shown


def test_what_makes_no_sense_is_refused_in_one_line() -> None:
    for make, line in (
        (lambda: tn.Injection(tn.FGSM(0.1), at=tn.Gradients()), "needs a forward"),
        (lambda: tn.Inputs(["left"]), "one after the other"),
        (lambda: tn.Poisson(0.1, relative_to="rms"), "leave relative_to out"),
    ):
        with pytest.raises((TypeError, ValueError), match=line) as error:
            make()
        assert "\n" not in str(error.value)
    with pytest.raises(TypeError, match="a function of"):
        tn.attach(net(), tn.Injection(tn.Gaussian(0.1), at=tn.Activations(torch.relu)))
    model = nn.Linear(4, 1)
    with (
        tn.attach(model, tn.Injection(tn.Gaussian(0.1), at=tn.Inputs())),
        pytest.raises(ValueError, match="output='values'"),
    ):
        tn.predict(model, data())


def test_fit_gives_scheduled_layers_their_steps() -> None:
    """Also where it goes on: the layer is at the step of the run."""
    layer = tn.nn.ScheduledNoise(1.0, 0.0, decay_steps=4)
    model = nn.Sequential(layer, nn.Linear(4, 3))
    batches = [(data(seed=s), torch.zeros(8, dtype=torch.int64)) for s in range(3)]
    tn.fit(model, batches, epochs=2, progress=False, cpu=True)
    assert layer.current_step == 5
    assert layer.current_std == 0.0


def test_an_attack_without_ascent_is_said_once() -> None:
    """Broken on purpose: never said."""
    model = net()
    with tn.attach(model, tn.Injection(tn.FGSM(0.1), at=tn.Inputs())) as noise:
        model(data())
        with pytest.warns(tn.NoEffectWarning, match=r"call noise\.ascend"):
            noise.step()
        model(data())
        noise.step()  # not again


def test_a_list_of_injections_or_a_file_is_a_plan(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    one, two = tn.Injection(tn.Gaussian(0.1), at=tn.Inputs()), tn.Injection(tn.Uniform(0.1), at=tn.Weights())
    assert tn.Plan([one, two]) == tn.Plan(one, two)
    with tn.attach(net(), [one, two]) as noise:
        assert noise.plan == tn.Plan(one, two)
    tn.Plan(one, two).save(path)
    with tn.attach(net(), path) as noise:
        assert noise.plan == tn.Plan(one, two)
    with pytest.raises(TypeError, match="allowed: Injection"):
        tn.Plan([one, tn.Gaussian(0.1)])
