"""Law 7: every sigma says what it is relative to, and what was realised can be read back."""

from __future__ import annotations

import math

import pytest
import torch
from cases import KINDS, Kind, attach_to, data, net, pair_name
from torch import nn

import torchnoise as tn
from torchnoise.magnitudes import MAGNITUDES


@pytest.mark.parametrize("kind", KINDS, ids=pair_name)
def test_every_kind_names_its_unit(kind: Kind) -> None:
    quantity, _, relative = kind.noise.unit.partition(", ")
    assert quantity == kind.noise.unit_of_strength
    words = {found.words for found in MAGNITUDES.values()} | {"absolute", "factor", "at an SNR", "learned"}
    assert relative in words


def test_realised_rms_and_snr() -> None:
    """On 100,000 elements the realised rms is within 1 % (4.5 sigma) of what was asked for."""
    x = torch.full((10, 10_000), 2.0)
    for noise, rms in (
        (tn.Gaussian(0.5), 0.5),
        (tn.Gaussian(0.25, relative_to="rms"), 0.5),
        (tn.Uniform(0.5), 0.5 / math.sqrt(3)),
    ):
        with tn.attach(nn.Identity(), tn.Injection(noise, at=tn.Inputs())) as attachment:
            attachment.model(x)
            (row,) = attachment.report().rows
        assert row.rms == pytest.approx(rms, rel=0.01)
        assert row.snr_db == pytest.approx(20 * math.log10(2.0 / rms), abs=0.1)
        assert row.shape == (10, 10_000)


def test_realised_over_real_positions_only() -> None:
    x = torch.ones(1, 1000)
    plan = tn.Injection(tn.Gaussian(1.0), at=tn.Inputs(), dims=range(500))
    with tn.attach(nn.Identity(), plan) as noise:
        noise.model(x)
        (row,) = noise.report().rows
    assert row.rms == pytest.approx(1.0, rel=0.15)


def test_the_report_prints_every_point_and_the_strength_now() -> None:
    model = net()
    noise, optimizer = attach_to(model, tn.Gaussian(1.0), tn.Gradients(), when=tn.power_decay(eta=0.01, gamma=0.55))
    model(data()).sum().backward()
    assert noise.report().rows[0].strength == pytest.approx(0.1)
    optimizer.step()
    text = str(noise.report())
    noise.detach()
    assert text.startswith("step 1\n")
    assert "head.weight (gradient)" in text
    assert "sigma, absolute" in text
    assert noise.report().rows[0].strength == pytest.approx(math.sqrt(0.01 / 2**0.55))
    assert noise.report().rows[0].measured_at == 0
