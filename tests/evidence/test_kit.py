"""Intervals, pages, and how Adult's rows go to their parts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from flatness import spearman
from kit.adult import Table, cancer, parts
from kit.data import digits, split
from kit.interval import paired, share, t_interval
from kit.study import filled, table


def test_intervals() -> None:
    assert t_interval([1.0, 2.0, 3.0]).shown() == "2.0 [-0.5, 4.5]"
    assert paired([2.0, 3.0], [1.0, 2.0]) == (1.0, 1.0, 1.0)
    assert share(10, 20).shown(0) == "50 [27, 73]"
    assert share(20, 20).shown(0) == "100 [83, 100]"
    with pytest.raises(ValueError, match="1 values, allowed: at least 2"):
        t_interval([1.0])


def test_t_intervals_cover_what_they_should() -> None:
    """Of 2,000 means of 5 normal numbers 95 % within 2 points: four standard errors of that share."""
    drawn = np.random.default_rng(0).normal(3.0, 2.0, size=(2000, 5))
    covered = np.mean([i.low < 3.0 < i.high for i in map(t_interval, drawn)])
    assert abs(covered - 0.95) < 0.02


def test_a_page_gets_its_texts_between_its_markers() -> None:
    page = "a <!-- begin: t -->old\nrows<!-- end: t --> b"
    assert filled(page, {"t": r"new \1"}) == "a <!-- begin: t -->\nnew \\1\n<!-- end: t --> b"
    assert filled(filled(page, {"t": "x"}), {"t": "y"}) == filled(page, {"t": "y"})
    with pytest.raises(ValueError, match="begin: other"):
        filled(page, {"other": ""})
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_rank_correlations() -> None:
    """Over all networks the arms' order counts; within arms only the seeds'. Against scipy, one by one."""
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(3, 6)), rng.normal(size=(3, 6))
    assert spearman(a, b).mean == pytest.approx(spearmanr(a.ravel(), b.ravel())[0])
    each = [spearmanr(x, y)[0] for x, y in zip(a, b, strict=True)]
    assert spearman(a, b, within=True).mean == pytest.approx(np.mean(each))
    arms = np.arange(3)[:, None] * 100.0
    assert spearman(a + arms, b + arms).mean > 0.8
    assert spearman(a + arms, b + arms, within=True).mean == pytest.approx(np.mean(each))


def test_splits_do_not_overlap_and_stay_the_same() -> None:
    x, y = digits()
    marked = torch.cat([x, torch.arange(len(y))[:, None]], 1)
    one, again, other = (split(marked, y, 1000, seed) for seed in (0, 0, 1))
    rows = [set(part[:, -1].int().tolist()) for part in (one.x, one.test_x)]
    assert not rows[0] & rows[1]
    assert len(rows[0] | rows[1]) == len(y)
    assert torch.equal(one.x, again.x)
    assert not torch.equal(one.x, other.x)


def test_a_seed_has_its_own_rows_to_train_on_and_everybodys_to_be_tested_on() -> None:
    rows = cancer()
    one, other = (parts(rows, 100, 100, 300, seed) for seed in (0, 1))
    assert torch.equal(one.test[1], other.test[1])
    assert not torch.equal(one.train[1], other.train[1])
    assert [len(y) for _, y in one] == [100, 100, 300]
    torch.testing.assert_close(one.train[0].mean(0), torch.zeros(30), atol=1e-5, rtol=0.0)


def test_no_row_is_in_two_parts() -> None:
    """Rows are known by their one number, which standardising keeps apart. Broken on purpose: a pool of all rows."""
    rows = Table(np.arange(400).astype(object)[:, None], np.arange(400) % 2, [0])
    found = [set(x[:, 0].tolist()) for x, _ in parts(rows, 100, 100, 200, 3)]
    assert [len(part) for part in found] == [100, 100, 200]
    assert len(set.union(*found)) == 400
