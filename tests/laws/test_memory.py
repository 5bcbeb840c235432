"""Law 4: what can be drawn again is not stored for backward."""

from __future__ import annotations

import pytest
import torch
from cases import KINDS, Kind, pair_name
from saved import saved_bytes
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef

import torchnoise as tn
from torchnoise import redraw


@pytest.mark.parametrize("kind", [k for k in KINDS if not k.whole_numbers], ids=pair_name)
def test_only_the_address_is_saved(kind: Kind) -> None:
    """On a tensor of 4 MB, less than 1 KB; a learned factor may keep x, which its gradient needs.

    Broken on purpose: an Inject that saves its draw.
    """
    x = torch.ones(8, 131072, requires_grad=True)
    with tn.attach(nn.Identity(), tn.Injection(kind.noise, at=tn.Inputs())) as noise:
        held = saved_bytes(noise.model, x)
    allowed = 4 * x.numel() + 1024 if kind.noise.relative_to == "abs" else 1024
    assert held < allowed


def test_64_megabytes_of_multiplicative_noise() -> None:
    x = torch.ones(16, 1 << 20, requires_grad=True)
    with tn.attach(nn.Identity(), tn.Injection(tn.Gaussian(0.1, combine="multiply"), at=tn.Inputs())) as noise:
        assert saved_bytes(noise.model, x) < 1024


def test_backward_draws_the_same_factor() -> None:
    """A multiplicative noise's gradient is its factor. Broken on purpose: a backward that draws for other examples."""
    x = torch.randn(4, 100, generator=torch.Generator().manual_seed(0)).requires_grad_()
    for source in (tn.Gaussian(0.5, combine="multiply"), tn.Uniform(0.5, combine="multiply"), tn.Bernoulli(0.5)):
        x.grad = None
        with tn.attach(nn.Identity(), tn.Injection(source, at=tn.Inputs())) as noise:
            out = noise.model(x)
            out.sum().backward()
        torch.testing.assert_close(x.grad * x.detach(), out.detach())


class Kept(nn.Linear):
    """A linear layer that shows the memory of the weight it saw."""

    def forward(self, x: Tensor) -> Tensor:
        self.seen = StorageWeakRef(self.weight.untyped_storage())
        return super().forward(x)


def test_noisy_weights_are_not_kept() -> None:
    """Their memory is free as soon as the layer has run, and backward draws them again, to the last bit.

    Broken on purpose: `drawn_again` that always returns nullcontext().
    """
    x = torch.randn(5, 6, generator=torch.Generator().manual_seed(0)).requires_grad_()
    found = []
    for saved in (False, True):
        layer = Kept(6, 6, bias=False)
        nn.init.constant_(layer.weight, 0.5)
        x.grad = None
        with tn.attach(layer, tn.Injection(tn.Gaussian(0.3), at=tn.Weights())):
            if saved:  # somebody else's hooks: nothing is left to us, and autograd keeps the weight
                with torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t):
                    out = layer(x)
            else:
                out = layer(x)
            assert layer.seen.expired() is not saved
            out.square().sum().backward()
        found.append((x.grad.clone(), layer.weight.grad.clone()))
    for a, b in zip(*found, strict=True):
        assert torch.equal(a, b)


def test_a_weight_that_is_saved_often_is_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recurrent layer saves its weight at every time; one drawing serves them all. A second backward works too."""
    model = nn.RNN(3, 4, batch_first=True)
    drawings = []
    again = redraw.Drawn.again

    def counted(drawn: redraw.Drawn) -> Tensor:
        if drawn.value is None:
            drawings.append(drawn.name)
        return again(drawn)

    monkeypatch.setattr(redraw.Drawn, "again", counted)
    with tn.attach(model, tn.Injection(tn.Gaussian(0.3), at=tn.Weights())):
        out, _ = model(torch.ones(2, 9, 3))
        first = torch.autograd.grad(out.sum(), list(model.parameters()), retain_graph=True)
        once = len(drawings)
        second = torch.autograd.grad(out.sum(), list(model.parameters()))
    assert once == len(set(drawings)) == len(drawings) / 2
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a, b)


def test_two_noises_on_one_weight_are_drawn_again() -> None:
    x = torch.ones(2, 4, requires_grad=True)
    plan = tn.Plan(
        tn.Injection(tn.Gaussian(0.3), at=tn.Weights()),
        tn.Injection(tn.Uniform(0.5, combine="multiply"), at=tn.Weights()),
    )
    layer = Kept(4, 4, bias=False)
    with tn.attach(layer, plan):
        out = layer(x)
        assert layer.seen.expired()
        with torch.no_grad():
            columns = layer(torch.eye(4)[None].expand(2, 4, 4)[0])  # the noisy weight, transposed
        out.sum().backward()
    torch.testing.assert_close(x.grad, columns.sum(1).expand(2, 4))


def test_a_weight_that_changed_before_backward_is_refused() -> None:
    """As torch refuses it where the weight was saved; and so are other tensors changed in place."""
    layer = nn.Linear(4, 4)
    with tn.attach(layer, tn.Injection(tn.Gaussian(0.3), at=tn.Weights())):
        out = layer(torch.ones(2, 4, requires_grad=True))
        with torch.no_grad():
            layer.weight.add_(1.0)
        with pytest.raises(RuntimeError, match=r"weight: changed in place between forward and backward"):
            out.sum().backward()
        x = torch.ones(2, 4)
        out = layer(x)
        x.add_(1.0)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            out.sum().backward()
