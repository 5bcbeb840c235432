"""Strengths around a centre: rising, distinct, below the limit, of two digits."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torchnoise.lab.noises import CANDIDATES, ladder, two_digits

SOME = CANDIDATES["weight"]


def test_around_the_rule() -> None:
    assert ladder(SOME) == (0.025, 0.05, 0.1, 0.2, 0.4)
    assert ladder(SOME, rungs=3) == (0.05, 0.1, 0.2)
    assert ladder(SOME, rungs=2) == (0.05, 0.1)
    assert ladder(SOME, rungs=1) == (0.1,)
    assert ladder(CANDIDATES["gradient"]) == (1e-6, 1e-5, 1e-4, 1e-3, 1e-2)


def test_around_a_centre() -> None:
    assert ladder(SOME, 0.1234) == (0.031, 0.062, 0.12, 0.25, 0.49)


def test_below_the_limit() -> None:
    """Moved down by whole rungs, and never at the limit itself, where dropout leaves nothing."""
    p = CANDIDATES["dropout"]
    assert ladder(p) == (0.013, 0.032, 0.08, 0.2, 0.5)
    assert ladder(p, 0.1) == (0.016, 0.04, 0.1, 0.25, 0.62)
    assert ladder(p, 0.999) == (0.01, 0.026, 0.064, 0.16, 0.4)  # 0.999 is 1.0 in two digits


@given(st.floats(1e-6, 1e3), st.integers(1, 9), st.floats(1.01, 10.0), st.one_of(st.none(), st.floats(0.01, 10.0)))
def test_every_ladder(centre: float, rungs: int, factor: float, limit: float | None) -> None:
    """Broken on purpose: `>` for `>=` at the limit; no set() where rungs round to the same."""
    found = ladder(replace(SOME, factor=factor, limit=limit), centre, rungs)
    assert found
    assert len(found) <= rungs
    assert list(found) == sorted(set(found))
    assert all(0 < s == two_digits(s) for s in found)
    assert limit is None or found[-1] < limit
    if factor >= 1.2:  # two digits tell them apart
        assert len(found) == rungs
        assert limit is not None or two_digits(centre) in found


@pytest.mark.parametrize("centre", [0.0, -1.0, float("nan"), float("inf")])
def test_no_ladder_around_nothing(centre: float) -> None:
    with pytest.raises(ValueError, match=r"^weight: a ladder of 5 rungs around .*, allowed: numbers above 0$"):
        ladder(SOME, centre)
