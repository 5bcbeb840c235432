"""Which rows are trained on, validated on and tested on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from torchnoise.lab.data.split import (
    TEST,
    TRAIN,
    VALIDATION,
    Parts,
    as_given,
    at_random,
    by_group,
    by_time,
    dealt,
    sample,
)

SHARES = ((0.5, 0.2, 0.3), (0.4, 0.2, 0.4), (0.7, 0.15, 0.15))


def draw(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def whole(parts: Parts, count: int) -> bool:
    """Whether each row is in one part."""
    return sorted(np.concatenate(parts).tolist()) == list(range(count))


def number(parts: Parts, count: int) -> np.ndarray:
    """Each row's part, one by one."""
    found = np.full(count, -1)
    for part, rows in enumerate(parts):
        for row in rows:
            found[row] = part
    return found


@pytest.mark.parametrize("shares", SHARES)
def test_dealt_keeps_the_shares_at_every_place(shares: tuple[float, ...]) -> None:
    """Of the first n places each part has its share to within two; of all of them, to within one.

    Broken on purpose: the parts one after the other.
    """
    found = dealt(200, shares)
    for n in range(1, 201):
        counts = np.bincount(found[:n], minlength=3)
        assert (np.abs(counts - np.array(shares) * n) < 2).all()
    assert np.bincount(found).tolist() == [round(share * 200) for share in shares]
    assert dealt(0, shares).tolist() == []


@pytest.mark.parametrize("shares", SHARES)
@given(st.lists(st.integers(0, 5), min_size=10, max_size=120), st.integers(0, 2**40))
@settings(max_examples=40, deadline=None)
def test_each_class_has_its_share(shares: tuple[float, ...], classes: list[int], seed: int) -> None:
    """Each row is in one part; of each class each part has its share to within two rows; classes of one or two rows are
    trained on, and all that are not have training rows. The same generator gives the same.

    Broken on purpose: rare classes dealt out like others; the classes left out of the shuffle's key.
    """
    y = np.array(classes)
    parts = at_random(y, shares, draw(seed))
    assert whole(parts, len(y))
    for label in set(classes):
        of_class = int((y == label).sum())
        counts = [int((y[rows] == label).sum()) for rows in parts]
        if of_class < 3:
            assert counts == [of_class, 0, 0]
        else:
            assert counts[0] > 0
            assert all(abs(count - share * of_class) < 2 for count, share in zip(counts, shares, strict=True))
    again = at_random(y, shares, draw(seed))
    assert all(np.array_equal(a, b) for a, b in zip(parts, again, strict=True))


def test_another_seed_splits_otherwise_and_rows_are_in_random_order() -> None:
    y = np.repeat(np.arange(10), 100)
    one, other = at_random(y, SHARES[0], draw(0)), at_random(y, SHARES[0], draw(1))
    assert [len(rows) for rows in one] == [500, 200, 300]
    # rows fall into the same part by chance with probability .38, a standard deviation being 15
    assert abs((number(one, 1000) == number(other, 1000)).sum() - 380) < 75
    assert len(set(y[one.train[:50]].tolist())) > 5
    assert not np.array_equal(one.train, np.sort(one.train))


def test_a_sample_is_stratified() -> None:
    """Of 900, 90 and 10 rows, a tenth: 90, 9 and 1; no row twice."""
    y = np.repeat([0, 1, 2], [900, 90, 10])
    rows = sample(y, 100, draw())
    assert np.bincount(y[rows]).tolist() == [90, 9, 1]
    assert len(set(rows.tolist())) == 100
    assert not np.array_equal(rows, sample(y, 100, draw(1)))


@given(st.lists(st.integers(0, 8), min_size=10, max_size=100), st.integers(0, 2**40))
@settings(max_examples=60, deadline=None)
def test_groups_stay_together(groups: list[int], seed: int) -> None:
    """No group is in two parts, no part is empty; three groups at least.

    Broken on purpose: parts chosen by share alone, so that one giant group left another part empty.
    """
    of = np.array(groups)
    if len(set(groups)) < 3:
        with pytest.raises(ValueError, match="allowed: at least 3"):
            by_group(of, SHARES[0], draw(seed))
        return
    parts = by_group(of, SHARES[0], draw(seed))
    assert whole(parts, len(of))
    found = [set(of[rows].tolist()) for rows in parts]
    assert all(found)
    assert sum(map(len, found)) == len(set(groups))


def test_many_small_groups_have_their_shares() -> None:
    parts = by_group(np.arange(1000) // 3, SHARES[0], draw())
    assert [abs(len(rows) - want) <= 3 for rows, want in zip(parts, (500, 200, 300), strict=True)] == [True] * 3


@given(st.lists(st.integers(0, 12), min_size=10, max_size=100), st.integers(0, 2**40))
@settings(max_examples=60, deadline=None)
def test_time_goes_forward(times: list[int], seed: int) -> None:
    """Every training row is older than every validation row, which is older than every test row; ties stay together.

    Broken on purpose: rows of the boundary's time dealt out by their place.
    """
    when = np.array(times, dtype=float)
    if len(set(times)) < 3:
        with pytest.raises(ValueError, match="allowed: at least 3"):
            by_time(when, SHARES[0], draw(seed))
        return
    parts = by_time(when, SHARES[0], draw(seed))
    assert whole(parts, len(when))
    assert all(len(rows) for rows in parts)
    assert when[parts.train].max() < when[parts.validation].min()
    assert when[parts.validation].max() < when[parts.test].min()


def test_time_without_ties_keeps_the_shares() -> None:
    parts = by_time(draw().permutation(100).astype(float), SHARES[0], draw())
    assert [len(rows) for rows in parts] == [50, 20, 30]


def test_parts_that_are_given() -> None:
    """They stay; a missing one for validation is taken from training; one for validation alone is the test."""
    y = np.tile([0, 1], 50)
    three = np.repeat([TRAIN, VALIDATION, TEST], [60, 10, 30])
    assert np.array_equal(number(as_given(three, y, SHARES[0], draw()), 100), three)
    two = np.repeat([TRAIN, TEST], [70, 30])
    parts = as_given(two, y, SHARES[0], draw())
    assert [len(rows) for rows in parts] == [50, 20, 30]
    assert set(parts.test.tolist()) == set(range(70, 100))
    assert np.bincount(y[parts.validation]).tolist() == [10, 10]
    parts = as_given(np.repeat([TRAIN, VALIDATION], [70, 30]), y, SHARES[0], draw())
    assert set(parts.test.tolist()) == set(range(70, 100))
    for alone in (TRAIN, TEST):
        with pytest.raises(ValueError, match="without a part to train on, or with nothing else"):
            as_given(np.full(20, alone), y[:20], SHARES[0], draw())
