"""WordDropout on ids and on vectors."""

from __future__ import annotations

import math

import pytest
import torch
from cases import same
from layer_table import seeded

from torchnoise.nn import WordDropout


def test_whole_tokens_at_the_given_rate() -> None:
    """Shares of 100,000 tokens within 4.5 sigma: a false alarm in 147,000 for each of the four."""
    ids = torch.full((4, 25_000), 7)
    for p in (0.1, 0.6):
        spread = 4.5 * math.sqrt(p * (1 - p) / ids.numel())
        words = seeded(WordDropout(p, replace_with=9), ids)
        assert set(words.unique().tolist()) == {7, 9}
        assert abs(float((words == 9).double().mean()) - p) < spread
        vectors = seeded(WordDropout(p), torch.ones(4, 25_000, 3))
        assert torch.equal(vectors, vectors[..., :1].expand_as(vectors))
        assert abs(float((vectors == 0).double().mean()) - p) < spread


def test_special_ids_and_masked_places_stay() -> None:
    """Broken on purpose: masks and special ids joined by or."""
    ids = torch.tensor([[0, 5, 6, 1, 2, 2], [0, 5, 6, 7, 8, 1]])
    everything = WordDropout(1.0, replace_with=99, special=[0, 1, 2])
    assert everything(ids).tolist() == [[0, 99, 99, 1, 2, 2], [0, 99, 99, 99, 99, 1]]
    mask = torch.tensor([[1, 0, 1, 1, 1, 1], [1, 1, 1, 1, 0, 1]])
    expected = [[0, 5, 99, 1, 2, 2], [0, 99, 99, 99, 8, 1]]
    assert everything(ids, mask).tolist() == everything(ids, mask=mask.bool()).tolist() == expected
    assert everything(ids.int()).dtype == torch.int32
    x = torch.ones(2, 6, 3)
    assert torch.equal(WordDropout(1.0)(x, mask), x * (mask == 0)[..., None])


def test_vectors_keep_their_size_or_their_mean() -> None:
    """A dropped vector is zero whatever was in it."""
    x = torch.full((2, 500, 3), 3.0)
    assert set(WordDropout(0.25)(x).unique().tolist()) == {0.0, 3.0}
    assert set(WordDropout(0.25, rescale=True)(x).unique().tolist()) == {0.0, 4.0}
    assert (WordDropout(1.0)(torch.full((2, 3), float("nan"))) == 0).all()


def test_ids_keep_their_bits_where_missed() -> None:
    """Also such as no float32 holds."""
    ids = torch.randint(0, 2**53, (1000,), generator=torch.Generator().manual_seed(0))
    big = 2**40 + 1
    y = seeded(WordDropout(0.5, replace_with=big), ids)
    assert torch.equal(torch.where(y == big, big, ids), y)
    assert same(WordDropout(0.5, replace_with=big).eval()(ids), ids)


def test_bad_input() -> None:
    for p in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match=r"WordDropout: p is .*, allowed: a number from 0 to 1"):
            WordDropout(p)
    with pytest.raises(ValueError, match="p is 1 with rescale=True, allowed: below 1"):
        WordDropout(1.0, rescale=True)
    with pytest.raises(ValueError, match=r"x is torch.int64 without replace_with, allowed: the id"):
        WordDropout(0.5)(torch.ones(3, dtype=torch.int64))
    with pytest.raises(TypeError, match=r"x is torch.float32 and replace_with an id, allowed: integer ids"):
        WordDropout(0.5, replace_with=1)(torch.ones(3))
    with pytest.raises(ValueError, match="vectors have no special ids, allowed: mask="):
        WordDropout(0.5, special=[1])(torch.ones(3, 2))
    with pytest.raises(ValueError, match=r"the mask has shape \(2,\), allowed: leading axes"):
        WordDropout(0.5, replace_with=1)(torch.ones(3, dtype=torch.int64), torch.ones(2, dtype=torch.bool))
    with pytest.raises(TypeError, match="integer"):
        WordDropout(0.5, replace_with=1.5)  # type: ignore[arg-type]
