"""tn.nn.Dropout beside nn.Dropout, and faster_dropout in models that were written without it."""

from __future__ import annotations

import copy
import io
import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

import torchnoise as tn
from torchnoise.nn import Dropout


def test_it_is_dropout() -> None:
    """Elements are 0 or x / (1 - p); the share of zeros within 4 sigma: one false alarm in 15,000 for each p."""
    x = torch.full((1000, 1000), 3.0)
    for p in (0.1, 0.5, 0.9):
        torch.manual_seed(0)
        y = Dropout(p)(x)
        zeros = (y == 0).double().mean()
        assert abs(zeros - p) < 4 * math.sqrt(p * (1 - p) / x.numel())
        torch.testing.assert_close(y[y != 0], torch.full_like(y[y != 0], 3.0 / (1 - p)))


def test_the_seed_decides_and_each_forward_draws_anew() -> None:
    x, layer = torch.ones(64), Dropout(0.5)
    torch.manual_seed(1)
    first, second = layer(x), layer(x)
    torch.manual_seed(1)
    assert torch.equal(layer(x), first)
    assert not torch.equal(first, second)


def test_edges() -> None:
    """As torch's: eval and p = 0 give x itself, p = 1 zeros; empty, 0-d, half-width, strided, in place."""
    x = torch.randn(5, 7, generator=torch.Generator().manual_seed(0))
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x
    assert torch.equal(Dropout(1.0)(x), torch.zeros_like(x))
    assert Dropout(0.5)(torch.empty(0, 3)).shape == (0, 3)
    assert Dropout(0.5)(torch.tensor(1.0)).item() in (0.0, 2.0)
    for dtype in (torch.float64, torch.float16, torch.bfloat16):
        y = Dropout(0.5)(x.to(dtype))
        assert y.dtype == dtype
        assert ((y == 0) | (y == 2 * x.to(dtype))).all()
    torch.manual_seed(0)
    transposed = Dropout(0.5)(x.T)
    torch.manual_seed(0)
    assert torch.equal(transposed, Dropout(0.5)(x.T.contiguous()))
    layer, changed = Dropout(0.5, inplace=True), x.clone()
    assert layer(changed) is changed
    assert not torch.equal(changed, x)
    layer.p = 1.5
    with pytest.raises(ValueError, match="between 0 and 1"):
        layer(x)


def test_gradients_have_the_same_mask() -> None:
    x = torch.randn(300, generator=torch.Generator().manual_seed(0), requires_grad=True)
    y = Dropout(0.3)(x)
    (g,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(g * x, y)
    assert torch.autograd.gradcheck(with_seed(Dropout(0.3)), x.double().detach().requires_grad_())
    assert torch.autograd.gradgradcheck(with_seed(Dropout(0.3)), x.double()[:20].detach().requires_grad_())


def with_seed(layer: nn.Module):
    def run(x: Tensor) -> Tensor:
        torch.manual_seed(0)
        return layer(x)

    return run


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpointing_repeats_the_mask(reentrant: bool) -> None:
    """With preserve_rng_state, which is the default."""
    model = nn.Sequential(nn.Linear(8, 8), Dropout(0.5), nn.Linear(8, 8), Dropout(0.5))
    x = torch.randn(4, 8, requires_grad=True)
    found = []
    for run in (model, lambda h: checkpoint(model, h, use_reentrant=reentrant)):
        torch.manual_seed(3)
        found.append(torch.autograd.grad(run(x).square().sum(), x)[0] if not reentrant else by_backward(run, x))
    assert torch.equal(*found)


def by_backward(run, x: Tensor) -> Tensor:
    x.grad = None
    run(x).square().sum().backward()
    return x.grad.clone()


def test_compiled_in_one_graph() -> None:
    torch._dynamo.reset()
    layer = nn.Sequential(nn.Linear(8, 8), Dropout(0.5))
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    x = torch.randn(4, 8, requires_grad=True)
    y = compiled(x)
    (g,) = torch.autograd.grad(y.sum(), x)
    assert g.isfinite().all()
    assert (y == 0).any()
    assert (y != 0).any()
    assert not torch.equal(compiled(x), y)


class Attention(nn.Module):
    """Hands its dropout's p to torch's attention, as Transformers' models do."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.2)

    def forward(self, h: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(h, h, h, dropout_p=self.dropout.p if self.training else 0.0)


class Functional(nn.Module):
    def forward(self, h: Tensor) -> Tensor:
        return F.dropout(h, 0.1, self.training)


class Own(nn.Dropout):
    """Somebody's subclass."""


def everything() -> nn.Module:
    model = nn.Sequential()
    model.add_module("hidden", nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.1)))
    model.add_module("attention", Attention())
    model.add_module("torch_attention", nn.MultiheadAttention(4, 2, dropout=0.1))
    model.add_module("recurrent", nn.LSTM(4, 4, 2, dropout=0.3))
    model.add_module("channels", nn.Dropout2d(0.1))
    model.add_module("functional", Functional())
    model.add_module("own", Own(0.1))
    return model


def test_faster_dropout_says_what_it_left() -> None:
    """Broken on purpose: `_reads_but_never_calls` that always says no."""
    model = everything()
    layer = model.hidden[1]
    found = tn.faster_dropout(model)
    assert found.swapped == ("hidden.1",)
    assert model.hidden[1] is layer
    assert type(layer) is Dropout
    assert layer.p == 0.1
    assert [name for name, _ in found.left] == [
        "attention.dropout", "torch_attention", "recurrent", "channels", "functional", "own",
    ]  # fmt: skip
    assert "attention.dropout: Attention reads its p and never calls it" in str(found)
    assert tn.faster_dropout(model).swapped == ()


def test_a_swapped_model_is_saved_and_copied_like_any_other() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.1))
    keys = list(model.state_dict())
    tn.faster_dropout(model)
    assert list(model.state_dict()) == keys
    assert type(copy.deepcopy(model)[1]) is Dropout
    file = io.BytesIO()
    torch.save(model.state_dict(), file)


def test_it_refuses_layers_with_noise_in_them() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.1))
    with (
        tn.attach(model, tn.Injection(tn.Gaussian(0.1), at=tn.Activations(nn.Dropout))),
        pytest.raises(RuntimeError, match="an attachment has its noise in '1'; swap first"),
    ):
        tn.faster_dropout(model)
    tn.faster_dropout(model)
    with tn.attach(model, tn.Injection(tn.Gaussian(0.1), at=tn.Activations(nn.Dropout))):
        model(torch.ones(2, 4))
