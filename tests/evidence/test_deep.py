"""Many networks side by side end where each ends alone, trained by torch's own parts and tn.attach."""

from __future__ import annotations

import pytest
import torch
from kit.deep import Deep, Keys, Stack
from torch.nn import functional

import torchnoise as tn

SEEDS, STEPS, RATE = (3, 4, 5), 6, 0.1
SHAPE = (30, 4, 12, 5)  # inputs, layers, width, classes


def examples() -> tuple[torch.Tensor, torch.Tensor]:
    """A batch for each seed and step."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(STEPS, len(SEEDS), 16, SHAPE[0], generator=generator)
    return x, torch.randint(SHAPE[3], x.shape[:3], generator=generator)


def one_by_one(clip: float | None, eta: float) -> list[dict[str, torch.Tensor]]:
    """The slow, obvious way."""
    x, y = examples()
    ends = []
    for run, seed in enumerate(SEEDS):
        model = Deep(*SHAPE, "He", seed)
        optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
        with tn.attach(model, tn.recipes.gradient_noise(eta), seed=seed, optimizer=optimizer):
            for step in range(STEPS):
                optimizer.zero_grad()
                functional.cross_entropy(model(x[step, run]), y[step, run]).backward()
                if clip is not None:
                    torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
                optimizer.step()
        ends.append(dict(model.named_parameters()))
    return ends


@pytest.mark.parametrize("clip", [None, 0.4, 100.0])
@pytest.mark.parametrize("eta", [0.0, 0.01])
def test_a_stack_ends_where_each_run_ends_alone(clip: float | None, eta: float) -> None:
    """Within float error, with noise and without, clipped (0.4) and not. Broken on purpose: another role in Keys."""
    x, y = examples()
    stack = Stack([Deep(*SHAPE, "He", seed) for seed in SEEDS])
    keys = {run: Keys(seed, list(stack.weights)) for run, seed in enumerate(SEEDS)}
    sigma = tn.power_decay(eta, 0.55)
    for step in range(STEPS):
        stack.backward(x[step], y[step])
        if clip is not None:
            norms = stack.clip(clip)
            assert bool((norms > clip).all()) == (clip == 0.4)
        if eta:
            stack.noise(keys, sigma(step), step)
        stack.step(RATE)
    for run, alone in enumerate(one_by_one(clip, eta)):
        for name, weights in alone.items():
            torch.testing.assert_close(stack.weights[name][run], weights.detach(), rtol=1e-4, atol=1e-6)


def test_from_zero_only_the_last_bias_has_a_gradient() -> None:
    """Why nothing is learned without noise."""
    x, y = examples()
    stack = Stack([Deep(*SHAPE, "zero", 0)] * len(SEEDS))
    stack.backward(x[0], y[0])
    moved = {name for name, g in stack.gradients.items() if g.any()}
    assert moved == {"out_bias"}


def test_a_run_that_diverged_is_right_nowhere() -> None:
    stack = Stack([Deep(*SHAPE, "He", 0)] * 2)
    stack.weights["out_bias"][1] = float("nan")
    x, y = examples()
    right, nowhere = stack.accuracy(x[0, 0], y[0, 0]).tolist()
    assert right > 0
    assert nowhere == 0
