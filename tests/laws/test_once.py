"""Law 6: what matches nothing, never runs, or runs too often says so."""

from __future__ import annotations

import warnings

import pytest
import torch
from cases import Net, attach_to, data, net, same
from torch import Tensor, nn

import torchnoise as tn


@pytest.mark.parametrize(
    "site",
    [
        tn.Activations("blok.*"),
        tn.Weights("head.weigth"),
        tn.Gradients("tial"),
        tn.Activations(nn.Conv2d),
        tn.Embeddings(),
    ],
    ids=str,
)
def test_what_matches_nothing_is_refused(site: object) -> None:
    with pytest.raises(LookupError, match=r"nothing matches|has no nn.Embedding"):
        attach_to(net(), tn.Gaussian(0.1), site)  # type: ignore[arg-type]


def test_what_never_runs_is_named() -> None:
    """Broken on purpose: a Point whose `fired` is set when it is made."""

    class Idle(Net):
        def __init__(self) -> None:
            super().__init__()
            self.spare = nn.Linear(2, 2)

    model = Idle()
    with tn.attach(model, tn.Injection(tn.Gaussian(0.1), at=tn.Activations(nn.Linear))) as noise:
        model(data())
        with pytest.warns(tn.NoEffectWarning, match=r"spare \(activation.output\): the model's forward ran"):
            noise.step()
        model(data())
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            noise.step()  # once is enough


def test_a_step_without_a_forward_is_named() -> None:
    with (
        tn.attach(net(), tn.Injection(tn.Gaussian(0.1), at=tn.Inputs())) as noise,
        pytest.warns(tn.NoEffectWarning, match="did not run in training mode"),
    ):
        noise.step()


def test_gradients_that_are_none_are_named() -> None:
    model = net()
    noise, optimizer = attach_to(model, tn.Gaussian(0.1), tn.Gradients("head.*"))
    model(data())
    with pytest.warns(tn.NoEffectWarning, match="head.weight"):
        optimizer.step()
    noise.detach()


def test_attaching_twice_is_refused() -> None:
    model = net()
    plan = tn.Injection(tn.Gaussian(0.1), at=tn.Inputs())
    with tn.attach(model, plan):
        with pytest.raises(RuntimeError, match="applied twice"):
            tn.attach(model, plan)
        with pytest.raises(RuntimeError, match="applied twice"):
            tn.attach(nn.Sequential(model), plan)
    with tn.attach(model, plan):
        pass


def test_gradient_noise_enters_once_a_step() -> None:
    """By hand or at the optimizer's step, never both. Broken on purpose: `_before_optimizer` that does not look."""
    model = net()
    noise, optimizer = attach_to(model, tn.Gaussian(0.1), tn.Gradients())
    model(data()).sum().backward()
    noise.gradients()
    after = [p.grad.clone() for p in model.parameters()]
    with pytest.raises(RuntimeError, match="have their noise already"):
        noise.gradients()
    optimizer.step()
    assert all(same(a, p.grad) for a, p in zip(after, model.parameters(), strict=True))
    noise.detach()


def test_more_calls_than_allowed_are_refused() -> None:
    model = net()
    with (
        tn.attach(model, tn.Injection(tn.Gaussian(0.1), at=tn.Activations("block.0", calls=1))),
        pytest.raises(RuntimeError, match=r"block.0 .* more than 1 times"),
    ):
        model(data())
    with tn.attach(model, tn.Injection(tn.Gaussian(0.1), at=tn.Activations("block.0", calls=2))):
        model(data())


def test_a_module_outside_the_models_forward_is_refused() -> None:
    model = net()
    with tn.attach(model, tn.Injection(tn.Gaussian(0.1), at=tn.Activations("block.0"))):
        with pytest.raises(RuntimeError, match="outside the forward"):
            model.block(torch.ones(2, 6))
        model.eval().block(torch.ones(2, 6))


def test_attaching_after_a_compiled_call_takes_effect() -> None:
    """Hooks added then are ignored by torch.compile; a forward of the instance's own is seen, and compiled anew."""
    model = net()
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    x = data()
    clean = compiled(x)
    with tn.attach(model, tn.Injection(tn.Gaussian(0.5), at=tn.Activations("block.*"))) as noise:
        assert not torch.equal(compiled(x), clean)
        noise.step()
    assert same(compiled(x), clean)


def test_a_tied_parameter_is_drawn_once() -> None:
    """Every module that shares it sees the same noise, and it counts as one point."""

    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(5, 5, bias=False), nn.Linear(5, 5, bias=False)
            self.b.weight = self.a.weight

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return self.a(x), self.b(x)

    model = Tied()
    for select in ((), ("b.weight",), ("a",)):
        with tn.attach(model, tn.Injection(tn.Gaussian(1.0), at=tn.Weights(*select))) as noise:
            first, second = model(torch.eye(5))
            assert same(first, second)
            assert not torch.equal(first, model.a.weight.T)
            assert [row.site for row in noise.report().rows] == ["a.weight (weight)"]
