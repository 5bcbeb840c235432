"""The small transformer: against torch's own encoder, with padding, and with noise."""

from __future__ import annotations

import math
import warnings

import pytest
import torch
from lab.models.small_data import TEXTS, images, random, table, texts
from torch import Tensor, nn

import torchnoise as tn
from torchnoise.lab.models import find
from torchnoise.lab.models.transformer import Features, Patches, Transformer, Words, transformer_for


def by_torch(net: Transformer, x: Tensor, mask: Tensor | None) -> Tensor:
    """The same by nn.TransformerEncoder and, for the mean, a loop over examples."""
    layer = nn.TransformerEncoderLayer(64, 4, 128, 0.0, nn.functional.gelu, batch_first=True, norm_first=True)
    encoder = nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(64), enable_nested_tensor=False)
    state = {f"layers.{name}": tensor for name, tensor in net.layers.state_dict().items()}
    encoder.load_state_dict(state | {f"norm.{name}": tensor for name, tensor in net.norm.state_dict().items()})
    encoder.train()
    h = encoder(net.tokens(x), src_key_padding_mask=None if mask is None else mask == 0)
    means = [row.mean(0) if mask is None else row[mask[i] == 1].mean(0) for i, row in enumerate(h)]
    return torch.stack(means) @ net.head.weight.T + net.head.bias


@pytest.mark.parametrize("kind", ["text", "image", "table"])
def test_against_torch_and_without_a_word(kind: str) -> None:
    """In both modes, with gradients and without; torch's fused paths for inference warn of nothing.

    Broken on purpose: post-norm layers; the mean over padding, too.
    """
    generator, mask = random(1), None
    if kind == "text":
        net = find("transformer", texts()).build(0)
        x = torch.tensor([[5, 3, 4, 0, 0], [2, 2, 0, 0, 0], [9, 8, 7, 6, 5]])
        mask = (x != 0).long()
    else:
        shape = (2, 8, 12) if kind == "image" else (7,)
        net, x = transformer_for(shape, 3), torch.randn(4, *shape, generator=generator)
    expected = by_torch(net, x, mask)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.testing.assert_close(net(x, mask), expected, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(net.eval()(x, mask), expected, rtol=1e-5, atol=1e-5)
        with torch.no_grad():
            torch.testing.assert_close(net(x, mask), expected, rtol=1e-5, atol=1e-5)


def test_layers_begin_with_weights_of_their_own() -> None:
    """nn.TransformerEncoder's are copies of one."""
    net = transformer_for((5,), 2)
    assert not torch.equal(net.layers[0].linear1.weight, net.layers[1].linear1.weight)


def test_tokens_by_hand() -> None:
    """Patches by cutting them out, features and words by their formulas."""
    patches, x = Patches((2, 8, 12)), torch.randn(3, 2, 8, 12, generator=random(0))
    weight = patches.project.weight.flatten(1)
    for number in range(6):
        top, left = 4 * (number // 3), 4 * (number % 3)
        by_hand = x[:, :, top : top + 4, left : left + 4].flatten(1) @ weight.T + patches.project.bias
        torch.testing.assert_close(patches(x)[:, number], by_hand + patches.positions[number], rtol=1e-5, atol=1e-5)
    rows, x = Patches((1, 5, 7)), torch.randn(3, 1, 5, 7, generator=random(0))
    by_hand = x[:, 0, 2] @ rows.project.weight.flatten(1).T + rows.project.bias + rows.positions[2]
    torch.testing.assert_close(rows(x)[:, 2], by_hand, rtol=1e-5, atol=1e-5)
    features, x = Features(4), torch.randn(3, 4, generator=random(0))
    torch.testing.assert_close(features(x)[1, 2], x[1, 2] * features.weight[2] + features.bias[2])
    words = Words(6, 5)
    torch.testing.assert_close(words(torch.tensor([[4, 0]]))[0, 0], words.embedding.weight[4] + words.positions[0])
    assert not words.embedding.weight[0].any()
    assert math.isclose(words.embedding.weight[1:].std().item(), 0.125, rel_tol=0.2)


def test_padding_changes_nothing() -> None:
    """Each text alone, and with longer ones; an empty text has an answer.

    Broken on purpose: outputs without the mask.
    """
    data = texts()
    model = find("transformer", data)
    net = model.build(0)
    together = model.outputs(net, model.encoder(TEXTS))
    for i, text in enumerate(TEXTS):
        torch.testing.assert_close(model.outputs(net, model.encoder([text]))[0], together[i], rtol=1e-5, atol=1e-5)
    assert model.outputs(net, torch.zeros(2, 9, dtype=torch.int64)).isfinite().all()


PLAN = tn.Plan(
    tn.Injection(tn.ReplaceTokens(0.5, vocabulary=14), at=tn.Tokens(special=(0, 1))),
    tn.Injection(tn.Gaussian(0.1, relative_to="rms"), at=tn.Embeddings()),
    tn.Injection(tn.Gaussian(0.02, relative_to="rms"), at=tn.Weights("layers.*.linear1")),
    tn.Injection(tn.Bernoulli(0.2, combine="multiply"), at=tn.Activations(nn.GELU)),
    tn.Injection(tn.Gaussian(0.01, relative_to="rms"), at=tn.Activations("layers.*.self_attn")),
    tn.Injection(tn.Gaussian(0.01), at=tn.Gradients()),
)


def test_noise_in_training() -> None:
    """Every site of a plan is reached in each step, padding gets none, and the model is as it was afterwards."""
    data = texts()
    model = find("transformer", data)
    x = model.encoder(TEXTS)
    net = model.build(0)
    keys, seen = list(net.state_dict()), []
    net.tokens.embedding.register_forward_hook(lambda m, args, out: seen.append((args[0], out)))
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with tn.attach(net, PLAN, seed=0, optimizer=optimizer) as noise:
            for _ in range(2):
                loss = noise.check(data.task.loss(model.outputs(net, x), data.train.y))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            rows = noise.report().rows
    sites = {row.site.rpartition("(")[2].rstrip(")") for row in rows}
    assert sites == {"token", "embedding", "weight", "activation.output", "gradient"}
    assert sum("activation" in row.site for row in rows) == 4
    assert list(net.state_dict()) == keys
    (ids, vectors), padding = seen[0], x == 0
    assert (ids != x).any()
    assert torch.equal(ids[padding], x[padding])
    assert not vectors[padding].any()
    clean = model.build(0)
    net.load_state_dict(clean.state_dict())
    assert torch.equal(model.outputs(net.eval(), x), model.outputs(clean.eval(), x))


@pytest.mark.parametrize("data", [images(), table(), texts()], ids=lambda data: data.kind)
def test_it_learns(data) -> None:
    """A dozen examples by heart in 60 steps."""
    model = find("transformer", data)
    data = data if model.encoder is None else data.encoded(model.encoder)
    net = model.build(0)
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for _ in range(60):
        loss = data.task.loss(model.outputs(net, data.train.x), data.train.y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.05
