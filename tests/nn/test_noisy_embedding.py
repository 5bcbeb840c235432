"""Embeddings with noise: where it enters, sparse gradients, bags of every kind."""

from __future__ import annotations

import math

import pytest
import torch
from cases import same
from layer_table import seeded
from torch import Tensor, nn

from torchnoise.nn import NoisyEmbedding, NoisyEmbeddingBag


def ids(*shape: int) -> Tensor:
    return torch.randint(0, 10, shape, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("shape", [(7,), (3, 5), (2, 3, 4), (2, 2, 2, 2), (), (0,), (30_000,)], ids=str)
@pytest.mark.parametrize("dtype", [torch.int64, torch.int32], ids=str)
def test_noise_enters_at_the_dims_of_words_only(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    """Padding and other dims have the table's bits. Broken on purpose: noise under a mask of the dims alone."""
    layer, x = NoisyEmbedding(10, 6, 0.5, noise_dims=[1, -1], padding_idx=4), ids(*shape).to(dtype)
    clean, noisy = layer.eval()(x), seeded(layer.train(), x)
    changed = (noisy != clean).reshape(-1, 6)
    expected = torch.zeros_like(changed)
    expected[:, [1, 5]] = (x != 4).reshape(-1, 1)
    assert torch.equal(changed, expected)


def test_equal_words_get_different_noise_of_the_given_size() -> None:
    """The table is untouched; a variance within 4.5 sigma: a false alarm in 147,000."""
    layer, x = NoisyEmbedding(10, 8, 0.3), torch.full((50_000,), 3)
    before = layer.weight.detach().clone()
    noise = (seeded(layer, x) - layer.weight[3]).detach().double()
    assert abs(float(noise.var()) - 0.09) < 4.5 * 0.09 * math.sqrt(2 / noise.numel())
    assert not torch.equal(noise[0], noise[1])
    assert same(layer.weight.detach(), before)


@pytest.mark.parametrize("sparse", [True, False])
def test_gradients_are_the_plain_embeddings(sparse: bool) -> None:
    """Sparse stays sparse, and the sums are the same; padding gets none."""
    layer = NoisyEmbedding(10, 4, 0.5, padding_idx=0, sparse=sparse)
    plain = nn.Embedding(10, 4, padding_idx=0, sparse=sparse)
    plain.load_state_dict(layer.state_dict())
    for module in (layer, plain):
        module(ids(5, 6)).sum().backward()
    assert layer.weight.grad.is_sparse is sparse
    assert torch.equal(layer.weight.grad.to_dense(), plain.weight.grad.to_dense())
    optimizer = torch.optim.SparseAdam([layer.weight]) if sparse else torch.optim.Adam([layer.weight])
    optimizer.step()


def test_all_of_torchs_arguments() -> None:
    layer = NoisyEmbedding(10, 4, 0.0, max_norm=0.5, norm_type=1.0, scale_grad_by_freq=True, dtype=torch.float64)
    assert float(layer(ids(20)).detach().abs().sum(-1).max()) <= 0.5 + 1e-6
    table = torch.randn(10, 4)
    layer = NoisyEmbedding.from_pretrained(table, noise_std=0.7, noise_dims=[0], padding_idx=1)
    assert (layer.noise_std, layer.noise_dims, layer.padding_idx) == (0.7, (0,), 1)
    assert not layer.weight.requires_grad
    assert (layer(ids(20)) - table[ids(20)])[:, 1:].abs().max() == 0
    bag = NoisyEmbeddingBag.from_pretrained(table, False, noise_std=0.0, mode="max")
    assert bag.weight.requires_grad
    assert same(bag(ids(2, 3)).detach(), nn.EmbeddingBag.from_pretrained(table, mode="max")(ids(2, 3)))


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("padding", [None, 4])
@pytest.mark.parametrize("last", [True, False])
def test_bags_with_offsets(mode: str, padding: int | None, last: bool) -> None:
    """Noise on each bag's chosen dims; none on bags without a word, empty or of padding alone.

    Broken on purpose: ends of bags that begin one too early.
    """
    bags = [[1, 2, 4], [], [4, 4], [3], [4, 5], []]
    words = torch.tensor([w for bag in bags for w in bag])
    sizes = torch.tensor([0] + [len(bag) for bag in bags]).cumsum(0)
    offsets = sizes if last else sizes[:-1]
    settings = {"mode": mode, "padding_idx": padding, "include_last_offset": last}
    layer = NoisyEmbeddingBag(10, 3, 0.5, noise_dims=[0, 2], **settings)
    clean, noisy = layer.eval()(words, offsets), seeded(layer.train(), words, offsets)
    counts = torch.tensor([any(w != padding for w in bag) for bag in bags])
    assert torch.equal(noisy != clean, counts[:, None] & torch.tensor([True, False, True]))


def test_bags_of_two_axes_and_weights() -> None:
    """2-d ids, one or more of them padding alone; per_sample_weights; sparse gradients."""
    layer = NoisyEmbeddingBag(10, 3, 0.5, mode="sum", padding_idx=0, sparse=True)
    x, weights = torch.tensor([[1, 2], [0, 0], [0, 3]]), torch.tensor([[0.5, 2.0], [1.0, 1.0], [3.0, 1.0]])
    clean, noisy = layer.eval()(x, per_sample_weights=weights), seeded(layer.train(), x, None, weights)
    assert (noisy != clean).all(1).tolist() == [True, False, True]
    noisy.sum().backward()
    assert layer.weight.grad.is_sparse


@pytest.mark.parametrize("kind", [NoisyEmbedding, NoisyEmbeddingBag])
def test_bad_settings(kind: type) -> None:
    with pytest.raises(ValueError, match=rf"{kind.__name__}: noise_std is -1, allowed: a number from 0"):
        kind(10, 4, -1)
    for dims in ([4], [0, -5]):
        with pytest.raises(IndexError, match=rf"{kind.__name__}: noise_dims has {dims[-1]}, allowed: -4 to 3"):
            kind(10, 4, 0.1, noise_dims=dims)
    with pytest.raises(IndexError, match="noise_dims has 9"):
        kind.from_pretrained(torch.ones(3, 4), noise_dims=[9])
