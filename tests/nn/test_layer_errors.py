"""What the layers say about bad settings and bad input: one clear line."""

from __future__ import annotations

import pytest
import torch

import torchnoise as tn
from torchnoise.nn import Noise, mlp

LINES = [
    (lambda: tn.nn.GaussianNoise(-0.1), ValueError, "GaussianNoise: std is -0.1, allowed: a number from 0"),
    (lambda: tn.nn.GaussianNoise("0.1"), TypeError, "GaussianNoise: std is '0.1', allowed: a number"),
    (lambda: tn.nn.GaussianNoise(0.1, "rsm"), ValueError, "relative is 'rsm'; did you mean 'rms'"),
    (lambda: tn.nn.GaussianNoise(0.1)(torch.ones(2, dtype=torch.int64)), TypeError, "x is torch.int64, allowed: float"),
    (lambda: tn.nn.ActivationNoise(float("nan")), ValueError, "ActivationNoise: std is nan"),
    (lambda: tn.nn.UniformNoise(0.2, 0.1), ValueError, "low, high are 0.2, 0.1, allowed: low <= high"),
    (lambda: tn.nn.UniformNoise(0.2, float("inf")), ValueError, "UniformNoise: high is inf"),
    (lambda: tn.nn.SaltAndPepperNoise(1.5), ValueError, "prob is 1.5, allowed: a number from 0 to 1"),
    (lambda: tn.nn.SaltAndPepperNoise(0.5, 2.0, 1.0), ValueError, "low is 2 and high is 1, allowed: low <= high"),
    (lambda: tn.nn.NoisyLinear(3, 2, noise_std=-1), ValueError, "NoisyLinear: noise_std is -1, allowed: a number"),
    (lambda: tn.nn.NoisyConv2d(3, 2, 3, noise_std=-1), ValueError, "NoisyConv2d: noise_std is -1, allowed"),
    (
        lambda: tn.nn.NoisyConv1d(3, 2, 3, relative_to="mx"),
        ValueError,
        "relative_to is 'mx'; did you mean 'max'",
    ),
    (lambda: tn.nn.Linear(3, 2, side="left"), ValueError, "side is 'left', allowed: 'input', 'output'"),
    (lambda: tn.nn.Linear(3, 2, noise=0.1), TypeError, "Linear: noise is 0.1, allowed: a noise from a source"),
    (lambda: Noise(tn.FGSM(0.1)), TypeError, "adversarial and learned noise, .* use tn.attach"),
    (lambda: Noise(tn.Gaussian(1.0, relative_to=tn.Learned(0.1))), TypeError, "use tn.attach"),
    (lambda: mlp(4, [0], 2), ValueError, r"mlp: dims are \[4, 0, 2\], allowed: whole numbers from 1"),
    (lambda: mlp(4, [3], 2, noise=0.1), TypeError, "mlp: noise is 0.1, allowed: a noise, a module, or a function"),
    (lambda: mlp(4, [3], 2, noise=lambda: 3), TypeError, "mlp: noise is"),
]


@pytest.mark.parametrize(("make", "error", "says"), LINES, ids=[says[:40] for *_, says in LINES])
def test_bad_input_gets_one_line(make, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says) as caught:
        make()
    assert "\n" not in str(caught.value)
