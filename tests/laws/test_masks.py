"""Law 5: padding gets exactly none, special tokens are never replaced, lengths are per example."""

from __future__ import annotations

import pytest
import torch
from cases import KINDS, Kind, Text, fill, pair_name, same
from torch import Tensor, nn

import torchnoise as tn


class Masked(nn.Module):
    """A model that takes a tensor and a mask, and returns the tensor."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return x


def batch(padded: int, lengths: tuple[int, ...] = (3, 5, 1)) -> tuple[Tensor, Tensor]:
    """Features [B, padded, 4] and a mask [B, padded], with zeros after each length."""
    x = torch.randn(len(lengths), 12, 4, generator=torch.Generator().manual_seed(0))[:, :padded]
    mask = (torch.arange(padded) < torch.tensor(lengths)[:, None]).long()
    return x * mask[..., None], mask


@pytest.mark.parametrize("kind", [k for k in KINDS if not k.whole_numbers], ids=pair_name)
def test_padding_gets_none_and_its_amount_changes_nothing(kind: Kind) -> None:
    """Padding stays bit for bit; padded to 5 or to 12, real positions get the same noise, relative kinds included.

    Broken on purpose: magnitudes that leave the mask out (red for rms and std).
    """
    found = []
    for padded in (5, 12):
        x, mask = batch(padded)
        with tn.attach(Masked(), tn.Injection(kind.noise, at=tn.Inputs("x"), mask="mask")) as noise:
            out = noise.model(x, mask).detach()
        assert same(out[mask == 0], x[mask == 0])
        assert not torch.equal(out[mask == 1], x[mask == 1])
        found.append(out[:, :5][mask[:, :5] == 1])
    torch.testing.assert_close(found[0], found[1], rtol=1e-6, atol=1e-7)  # sums over 12 and over 5 may round apart


@pytest.mark.parametrize("kind", [k for k in KINDS if not k.whole_numbers], ids=pair_name)
def test_padding_passes_its_gradient_through(kind: Kind) -> None:
    x, mask = batch(5)
    x.requires_grad_()
    with tn.attach(Masked(), tn.Injection(kind.noise, at=tn.Inputs("x"), mask="mask")) as noise:
        noise.model(x, mask).sum().backward()
    assert (x.grad[mask == 0] == 1).all()


def test_a_mask_may_be_a_function() -> None:
    """For masks that are True at padding, as torch's own layers take them."""
    x, mask = batch(5)
    by_function = tn.Injection(tn.Gaussian(1.0), at=tn.Inputs("x"), mask=lambda given: given["mask"] != 1)
    with tn.attach(Masked(), by_function) as noise:
        out = noise.model(x, mask)
    assert same(out[mask == 1], x[mask == 1])
    assert not torch.equal(out[mask == 0], x[mask == 0])


def ids() -> tuple[Tensor, Tensor]:
    """Token ids with specials 1 and 2, and padding 0."""
    tokens = torch.tensor([[1, 5, 6, 7, 8, 2, 0, 0], [1, 9, 2, 0, 0, 0, 0, 0]]).repeat(40, 1)
    return tokens, (tokens != 0).long()


def test_tokens_spare_special_ids_and_padding() -> None:
    """Every ordinary token can be hit, no other ever is. Broken on purpose: Tokens without its `special` mask."""

    class Ids(nn.Module):
        def forward(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
            return input_ids, labels

    tokens, mask = ids()
    plan = tn.Injection(tn.Bernoulli(0.5, combine="replace", value=3), at=tn.Tokens(special=(1, 2)))
    with tn.attach(Ids(), plan) as noise:
        out, labels = noise.model(input_ids=tokens, attention_mask=mask, labels=tokens)
    assert labels is tokens
    assert out.dtype == tokens.dtype
    ordinary = tokens > 2
    assert same(out[~ordinary], tokens[~ordinary])
    share = (out[ordinary] == 3).double().mean()
    assert 0.4 < share < 0.6  # 200 tokens, 2.8 sigma
    assert set(out[ordinary].unique().tolist()) == {3, 5, 6, 7, 8, 9}


def test_embeddings_spare_padding_ids_and_masked_positions() -> None:
    model = Text()
    fill(model)
    tokens, mask = ids()
    mask[:, 1] = 0
    mask[:, 6] = 1  # a mask that lets padding through: the ids still tell
    seen: list[Tensor] = []
    with tn.attach(model, tn.Injection(tn.Gaussian(1.0), at=tn.Embeddings())):
        model.attention.register_forward_pre_hook(lambda m, args: seen.append(args[0]))
        model(tokens, mask)
    clean = model.embedding(tokens)
    changed = (seen[0] != clean).all(-1)
    assert ((seen[0] != clean).any(-1) == changed).all()
    assert torch.equal(changed, (mask == 1) & (tokens != 0))


def test_dims() -> None:
    """Only the named features get noise, and what they get does not depend on which others do."""
    x = torch.zeros(4, 6)
    noise = tn.Gaussian(1.0)

    def run(**more: object) -> Tensor:
        with tn.attach(nn.Identity(), tn.Injection(noise, at=tn.Inputs(), **more)) as attachment:  # type: ignore[arg-type]
            return attachment.model(x)

    everywhere, some = run(), run(dims=[0, -1])
    assert torch.equal(some[:, [0, 5]], everywhere[:, [0, 5]])
    assert (some[:, 1:5] == 0).all()
    images = torch.zeros(2, 3, 4, 4)
    with tn.attach(nn.Identity(), tn.Injection(noise, at=tn.Inputs(), dims=[1], axis=1)) as attachment:
        out = attachment.model(images)
    assert (out[:, 1] != 0).all()
    assert (out[:, [0, 2]] == 0).all()
