"""Augmentations against slow ones, and that they are functions of their generator alone."""

from __future__ import annotations

import torch
from made_up_worlds import randn, texts
from torch import Tensor

from torchnoise.lab.noises.augment import DropWords, RandomShift, SwapFeatures


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def slow_shift(image: Tensor, down: int, right: int) -> Tensor:
    """One image [channels, height, width], pixel by pixel."""
    out = torch.full_like(image, float(image.min()))
    _, height, width = image.shape
    for i in range(height):
        for j in range(width):
            if 0 <= i + down < height and 0 <= j + right < width:
                out[:, i, j] = image[:, i + down, j + right]
    return out


def test_a_shift_is_one_of_the_slow_ones() -> None:
    """Up to a quarter of 8 and of 12 pixels; over 60 images every one of the 35 shifts is drawn at least nearly."""
    x = randn(60, 2, 8, 12)
    shifted = RandomShift(0.25)(x, generator())
    seen = set()
    for image, got in zip(x, shifted, strict=True):
        fits = [
            (down, right)
            for down in range(-2, 3)
            for right in range(-3, 4)
            if torch.equal(slow_shift(image, down, right), got)
        ]
        assert len(fits) == 1
        seen |= set(fits)
    assert len(seen) > 20  # of 35; the expected number is 29
    assert {d for d, _ in seen} == set(range(-2, 3))
    assert {r for _, r in seen} == set(range(-3, 4))


def test_swapped_features_stay_in_their_column() -> None:
    x = torch.arange(2000.0).view(200, 10)  # every value tells its row and column
    out = SwapFeatures(0.3)(x, generator())
    assert torch.equal(out % 10, x % 10)
    changed = (out != x).double().mean()
    # 0.3 but for one in 200 that draws itself; 2000 elements, 5 standard errors: a false alarm in 2 million
    assert abs(changed - 0.3 * 199 / 200) < 5 * (0.3 * 0.7 / 2000) ** 0.5
    assert torch.equal(SwapFeatures(0.0)(x, generator()), x)


def test_dropped_words_leave_the_rest_in_order() -> None:
    x = texts().train.x
    out = DropWords(0.5, special=(1, 2))(x, generator())
    assert out.shape == x.shape
    gone = 0
    for before, after in zip(x.tolist(), out.tolist(), strict=True):
        left = [i for i in after if i]
        words = iter(i for i in before if i)
        assert all(i in words for i in left)  # a subsequence
        assert after == left + [0] * (len(after) - len(left))  # padding at the end
        assert left[0] == 1  # special tokens stay
        assert left[-1] == 2
        assert len(left) > 2  # some word does, too
        gone += len([i for i in before if i]) - len(left)
    words = int((x > 2).sum())
    assert 0.2 < gone / words < 0.8  # 37 letters at 0.5: 4 standard errors


def test_words_drop_to_the_tokenizers_own_padding() -> None:
    """Where 0 is a word. Special tokens at the end, as models have them that only continue texts, stay behind."""
    x = torch.tensor([[9, 0, 4, 5, 0, 6, 0, 1, 1]] * 50)
    out = DropWords(0.5, padding=1, special=(9,))(x, generator())
    lengths = (out != 1).sum(1)
    assert set(out[:, 0].tolist()) == {9}
    assert 2 <= int(lengths.min()) < int(lengths.max()) <= 7
    for row, length in zip(out, lengths, strict=True):
        assert set(row[length:].tolist()) == {1}


def test_a_text_never_loses_all_its_words() -> None:
    x = torch.tensor([[1, 5, 2, 0], [1, 2, 0, 0]])
    for seed in range(20):
        assert torch.equal(DropWords(0.99, special=(1, 2))(x, generator(seed)), x)


def test_the_same_generator_gives_the_same_batch_and_torchs_own_stays() -> None:
    state = torch.random.get_rng_state()
    for augment, x in (
        (RandomShift(0.25), randn(4, 1, 8, 8)),
        (SwapFeatures(0.5), randn(30, 5)),
        (DropWords(0.5), texts().train.x),
    ):
        before = x.clone()
        one = augment(x, generator(1))
        assert torch.equal(one, augment(x, generator(1)))
        assert not torch.equal(one, augment(x, generator(2)))
        assert torch.equal(x, before)
        assert one.dtype == x.dtype
    assert torch.equal(torch.random.get_rng_state(), state)
