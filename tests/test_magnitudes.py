"""Every magnitude scales noise to what its name says."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
import torch
from cases import at_identity, data, net, same, train_step
from scipy import stats
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import torchnoise as tn
from torchnoise.noise import RandomNoise

ALARM = 1e-4


def difference(x: Tensor, noise: RandomNoise, **more) -> Tensor:
    return (at_identity(noise, x, **more) - x).double()


def test_norms() -> None:
    """Each example's noise has exactly this norm; masked elements do not count."""
    x = torch.zeros(4, 30)
    x[2] = 1e3  # whatever the signal
    assert torch.allclose(
        difference(x, tn.Gaussian(0.5, relative_to="l2")).norm(dim=1), torch.tensor(0.5).double(), rtol=1e-3
    )
    assert torch.allclose(
        difference(x, tn.Laplace(0.5, relative_to="linf")).abs().amax(1), torch.tensor(0.5).double(), rtol=1e-3
    )
    masked = difference(x, tn.Gaussian(0.5, relative_to="l2"), dims=range(10))
    assert (masked[:, 10:] == 0).all()
    assert torch.allclose(masked.norm(dim=1), torch.tensor(0.5).double(), rtol=1e-3)


def test_norms_of_nothing_and_of_rows() -> None:
    """Examples without elements; several rows for each example, of which each has the norm."""
    for norm in ("l2", "linf"):
        assert at_identity(tn.Gaussian(0.5, relative_to=norm), torch.zeros(3, 0)).shape == (3, 0)
        at = tn.address(examples=2)
        rows = tn.noisy(torch.zeros(6, 5), tn.Gaussian(0.5, relative_to=norm), at)
        lengths = torch.linalg.vector_norm(rows, 2 if norm == "l2" else float("inf"), dim=1)
        assert torch.allclose(lengths, torch.tensor(0.5), rtol=1e-5)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: tn.Custom(0.5, lambda x, generator: x, relative_to="l2"),
        lambda: tn.FGSM(0.5, relative_to="linf"),
        lambda: tn.Gaussian(0.5, relative_to=tn.SNR(10), combine="replace"),
        lambda: tn.SNR(1e4),
        lambda: tn.SaltAndPepper(0.5, high=1e39),
        lambda: tn.Injection(tn.Gaussian(0.5, relative_to=tn.RunningStd()), at=tn.Weights()),
        lambda: tn.Injection(tn.Gaussian(0.5, relative_to=tn.RunningStd()), at=tn.Gradients()),
        lambda: tn.Injection(tn.Custom(0.5, lambda x, generator: x), at=tn.PerExampleGradients(1.0)),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: Callable[[], object]) -> None:
    """When it is said, in one line. The last one would be noise that anybody can draw again, and no privacy."""
    with pytest.raises(ValueError, match="allowed:") as error:
        wrong()
    assert "\n" not in str(error.value)


def test_directions_are_uniform_on_the_sphere() -> None:
    """In the plane the angle is uniform: Kolmogorov-Smirnov on 50,000 examples."""
    out = tn.noisy(torch.zeros(50_000, 2), tn.Gaussian(1.0, relative_to="l2"), tn.address(examples=50_000))
    angle = torch.atan2(out[:, 0], out[:, 1]).double().numpy()
    assert stats.kstest(angle, stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > ALARM


@pytest.mark.parametrize(
    "noise",
    [
        tn.Gaussian(1.0, relative_to=tn.SNR(20)),
        tn.Uniform(1.0, relative_to=tn.SNR(20)),
        tn.Laplace(1.0, relative_to=tn.SNR(20)),
        tn.StudentT(1.0, df=9, relative_to=tn.SNR(20)),
        tn.Rademacher(1.0, relative_to=tn.SNR(20)),
        tn.Gaussian(10.0, relative_to=tn.SNR(40)),
    ],
    ids=str,
)
def test_signal_to_noise(noise: RandomNoise) -> None:
    """20 dB within 0.1 dB for each of two examples of 100,000 elements, loud and quiet."""
    x = torch.randn(2, 100_000, generator=torch.Generator().manual_seed(0)) * torch.tensor([[0.01], [30.0]])
    ratio = 20 * torch.log10(x.double().norm(dim=1) / difference(x, noise).norm(dim=1))
    assert (ratio - 20).abs().max() < 0.1


def test_signal_to_noise_per_channel() -> None:
    x = torch.ones(2, 3, 50_000) * torch.tensor([1.0, 10.0, 0.1]).view(1, 3, 1)
    found = difference(x, tn.Gaussian(1.0, relative_to=tn.SNR(0, per="channel", axis=1))).square().mean(2).sqrt()
    assert torch.allclose(found, torch.tensor([1.0, 10.0, 0.1]).double().expand(2, 3), rtol=0.03)
    whole = difference(x, tn.Gaussian(1.0, relative_to=tn.SNR(0))).square().mean(2).sqrt()
    assert torch.allclose(whole[:, 0], whole[:, 2], rtol=0.03)


def test_the_largest_element_and_the_size() -> None:
    """Relative to max |x| of the whole matrix for weights; 1 / sqrt(n) of the elements that a mask keeps."""
    x = torch.tensor([[1.0, -4.0, 2.0], [0.5, 0.0, 0.25]])
    at = tn.address(examples=2)
    unit = tn.noisy(torch.zeros(2, 3), tn.Gaussian(1.0), at)
    for relative, scale in (("max", torch.tensor([[4.0], [0.5]])), ("size", torch.tensor([[3.0], [3.0]]).rsqrt())):
        assert torch.allclose(tn.noisy(x, tn.Gaussian(1.0, relative_to=relative), at) - x, unit * scale, atol=1e-6)
    layer = nn.Linear(3, 2, bias=False)
    nn.init.constant_(layer.weight, -0.5)
    with tn.attach(layer, tn.Injection(tn.Rademacher(0.1, relative_to="max"), at=tn.Weights())):
        out = layer(torch.eye(3))
    assert torch.allclose((out + 0.5).abs(), torch.tensor(0.05), atol=1e-6)


def test_running_std() -> None:
    """After each step the scale is the standard deviation over all that was seen before it, in any micro-batches."""
    generator = torch.Generator().manual_seed(0)
    batches = [torch.randn(6, 3, generator=generator) * torch.tensor([1.0, 10.0, 0.1]) + 5 for _ in range(3)]
    model = nn.Identity()
    plan = tn.Injection(tn.Rademacher(1.0, relative_to=tn.RunningStd()), at=tn.Inputs())
    with tn.attach(model, plan) as noise:
        for i, x in enumerate(batches):
            parts = [model(part) - part for part in x.split(2)] if i else [model(x) - x]
            seen = torch.cat(batches[: max(i, 1)]).double().std(0, unbiased=False)
            assert torch.allclose(torch.cat(parts).abs().double(), seen.expand(6, 3), rtol=1e-5)
            noise.step()
        state = noise.state_dict()
        after = model(batches[0])
    with tn.attach(model, plan) as noise:
        noise.load_state_dict(state)
        assert same(model(batches[0]), after)
    plan = tn.Injection(tn.Rademacher(1.0, relative_to=tn.RunningStd(momentum=0.25)), at=tn.Inputs())
    with tn.attach(model, plan) as noise:
        moments = []
        for x in batches:
            model(x)
            noise.step()
            new = torch.stack([x.double().mean(0), x.double().square().mean(0)])
            moments.append(new if not moments else moments[-1] + 0.25 * (new - moments[-1]))
        mean, square = moments[-1]
        found = (model(batches[0]) - batches[0]).abs()[0].double()
        assert torch.allclose(found, (square - mean.square()).sqrt(), rtol=1e-5)


STD = tn.Rademacher(1.0, relative_to=tn.RunningStd())


def stds(*steps: list[Tensor], keep: list[Tensor] | None = None) -> Tensor:
    """Each feature's scale after steps of micro-batches, as a further step shows it."""
    with tn.attach(Beside(), tn.Injection(STD, at=tn.Inputs("x"), mask="keep")) as noise:
        for i, parts in enumerate(steps):
            for x in parts:
                noise.model(x, torch.ones_like(x, dtype=torch.bool) if keep is None else keep[i])
            noise.step()
        x = torch.zeros(2, steps[0][0].shape[1], dtype=torch.float64)
        return noise.model(x, torch.ones_like(x, dtype=torch.bool))[0].abs()


class Beside(nn.Module):
    """A model that returns its input, and is given a mask beside it."""

    def forward(self, x: Tensor, keep: Tensor) -> Tensor:
        return x


def test_running_std_of_what_lies_far_from_zero() -> None:
    """Broken on purpose: mean x^2 - (mean x)^2, which cancels (red at once: 40 where there is 1, or nothing)."""
    x = torch.randn(4, 50, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 1e9
    assert torch.allclose(stds(*([part] for part in x)), x.std(unbiased=False), rtol=1e-6)


def test_running_std_counts_what_is_there() -> None:
    """Values that are masked or not finite are no zeros. Broken on purpose: one count for all features."""
    x = torch.randn(3, 40, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 3
    keep = torch.ones(3, 40, 2, dtype=torch.bool)
    keep[1, :, 1] = keep[2, :10, 0] = False
    expected = torch.stack([x[..., f][keep[..., f]].std(unbiased=False) for f in range(2)])
    assert torch.allclose(stds(*([part] for part in x), keep=list(keep)), expected)
    holes = x.clone()
    holes[~keep] = float("nan")
    holes[0, 3] = float("inf")
    keep[0, 3] = False
    expected = torch.stack([x[..., f][keep[..., f]].std(unbiased=False) for f in range(2)])
    assert torch.allclose(stds(*([part] for part in holes)), expected)
    assert stds([x[0, :, :0]]).shape == (0,)


def test_running_std_stopped_within_a_step() -> None:
    """Micro-batches before the stop are not lost, also by way of a file. Broken on purpose: "measuring" not stored."""
    parts = torch.randn(4, 6, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 5.0, 20.0, 1.0]).view(
        4, 1, 1
    )
    plan = tn.Injection(STD, at=tn.Inputs())
    with tn.attach(nn.Identity(), plan) as noise:
        noise.model(parts[0])
        noise.step()
        noise.model(parts[1])
        file = BytesIO()
        torch.save(noise.state_dict(), file)
        noise.model(parts[2])
        noise.step()
        expected = noise.model(parts[3])
    file.seek(0)
    with tn.attach(nn.Identity(), plan) as noise:
        noise.load_state_dict(torch.load(file, weights_only=True))
        noise.model(parts[2])
        noise.step()
        assert same(noise.model(parts[3]), expected)


def test_a_step_that_a_schedule_refuses_is_not_counted() -> None:
    """Broken on purpose: moments taken in before the next step's strengths are asked for."""
    wrong = [True]
    plan = tn.Injection(STD, at=tn.Inputs(), when=lambda step: -1.0 if step and wrong[0] else 1.0)
    with tn.attach(nn.Identity(), plan) as noise:
        noise.model(data())
        with pytest.raises(ValueError, match="step 1"):
            noise.step()
        wrong.clear()
        wrong.append(False)
        noise.step()
        (kept,) = noise.state_dict()["measured"].values()
    assert kept["count"].tolist() == [8.0] * 4


def test_running_std_wants_one_axis_of_features() -> None:
    for axis, x in ((0, torch.ones(3, 4)), (-1, torch.ones(3)), (2, torch.ones(3, 4))):
        with pytest.raises(IndexError, match="other than that of the examples"):
            at_identity(tn.Gaussian(0.1, relative_to=tn.RunningStd(axis=axis)), x)
    with tn.attach(nn.Identity(), tn.Injection(STD, at=tn.Inputs())) as noise:
        noise.model(torch.ones(3, 4))
        with pytest.raises(ValueError, match="5 features along axis -1, where there were 4"):
            noise.model(torch.ones(3, 5))


def test_running_std_under_checkpointing_counts_once() -> None:
    """Broken on purpose: `call.repeats` not asked."""
    plan = tn.Injection(tn.Gaussian(0.1, relative_to=tn.RunningStd()), at=tn.Activations("block.1"))
    for reentrant in (True, False):
        model = Checkpointed(reentrant)
        with tn.attach(model, plan) as noise:
            model(data().requires_grad_()).sum().backward()
            noise.step()
            (kept,) = noise.state_dict()["measured"].values()
        assert kept["count"].tolist() == [8.0] * 3


def test_running_std_under_compile() -> None:
    """The same weights and the same moments as eager, one graph for the first step and one for all others."""
    graphs = []

    def backend(graph: torch.fx.GraphModule, inputs: object):
        graphs.append(graph)
        return graph.forward

    def trained(compiled: bool) -> list[Tensor]:
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        noise = tn.Gaussian(0.3, relative_to=tn.RunningStd())
        plan = tn.Plan(tn.Injection(noise, at=tn.Inputs()), tn.Injection(noise, at=tn.Activations("head")))
        with tn.attach(model, plan, optimizer=optimizer) as attachment:
            called = torch.compile(model, backend=backend, fullgraph=True) if compiled else model
            for seed in range(5):
                train_step(called, data(seed=seed), optimizer)
            measured = attachment.state_dict()["measured"]
        return [*(p.detach() for p in model.parameters()), *(t for kept in measured.values() for t in kept.values())]

    for eager, compiled in zip(trained(False), trained(True), strict=True):
        assert same(eager, compiled)
    assert len(graphs) == 2


class Checkpointed(nn.Module):
    """A model that computes its block again in backward."""

    def __init__(self, reentrant: bool) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1))
        self.reentrant = reentrant

    def forward(self, x: Tensor) -> Tensor:
        return checkpoint(self.block, x, use_reentrant=self.reentrant)
