"""Law 4: what can be drawn again is not stored for backward."""

from __future__ import annotations

import pytest
import torch
from cases import KINDS, Kind, pair_name
from torch import Tensor, nn

import torchnoise as tn


def saved_bytes(model: nn.Module, x: Tensor) -> int:
    """The memory that the graph of a forward holds for its backward, each storage counted once."""
    held: dict[int, int] = {}

    def pack(t: Tensor) -> Tensor:
        held[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        out = model(x)
    assert out.requires_grad
    return sum(held.values())


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
