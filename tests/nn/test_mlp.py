"""mlp: where its noise stands, and names that do not depend on it."""

from __future__ import annotations

import torch
from cases import same
from torch import nn

import torchnoise as tn
from torchnoise.nn import GaussianNoise, mlp


def test_noise_stands_after_each_activation_and_at_the_input() -> None:
    model = mlp(4, [8, 6], 2, noise=tn.Gaussian(0.1), activation=nn.Tanh, input_noise=GaussianNoise(0.2))
    kinds = [type(m).__name__ for m in model]
    assert kinds == ["GaussianNoise", "Linear", "Tanh", "Noise", "Linear", "Tanh", "Noise", "Linear"]
    assert model(torch.ones(3, 4)).shape == (3, 2)
    assert [type(m) for m in mlp(4, [], 2, noise=tn.Gaussian(0.1))] == [nn.Linear]


def test_weights_are_the_same_with_and_without_noise() -> None:
    """Names and first values. Broken on purpose: modules named by their place."""
    models = []
    for noise in (None, tn.Bernoulli(0.1), nn.Dropout, lambda: nn.Dropout(0.2), GaussianNoise(0.1)):
        torch.manual_seed(0)
        models.append(mlp(4, (8, 6), 2, noise, input_noise=noise).eval())
    x = torch.ones(3, 4)
    for model in models[1:]:
        assert list(model.state_dict()) == list(models[0].state_dict())
        assert same(model(x).detach(), models[0](x).detach())


def test_each_place_has_a_module_of_its_own() -> None:
    given = GaussianNoise(0.1)
    model = mlp(4, [8, 6], 2, noise=given)
    assert len({id(model.noise0), id(model.noise1), id(given)}) == 3
    assert mlp(4, [8], 2, bias=False, dtype=torch.float64).linear0.weight.dtype == torch.float64
    assert mlp(4, [8], 2, bias=False).linear0.bias is None
