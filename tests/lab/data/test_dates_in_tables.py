"""Columns of dates, as numbers."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta

import numpy as np
import pytest

from torchnoise.lab.data.dates import cyclic, days

BEGIN = datetime(1970, 1, 1)
WHEN = [datetime(2024, 1, 31), datetime(1999, 12, 5), datetime(2024, 2, 29)]


FORMS = """
%Y-%m-%d  %Y/%m/%d  %d/%m/%Y  %m/%d/%Y  %d.%m.%Y  %d-%m-%Y  %m-%d-%Y  %d %b %Y  %d %B %Y  %b %d, %Y  %B %d, %Y
%Y-%m-%dT%H:%M:%S  %d.%m.%Y %H:%M  %Y-%m-%d %H:%M:%S+00:00
"""


@pytest.mark.parametrize("form", re.split(r"  |\n", FORMS.strip()))
def test_dates_in_the_forms_that_people_write(form: str) -> None:
    """A day after the twelfth says which number is the day.

    Broken on purpose: the first cell's form taken for all.
    """
    found = days([when.strftime(form) for when in WHEN] + [None])
    assert found is not None
    np.testing.assert_array_equal(found.values[:3], [(when - BEGIN).days for when in WHEN])
    assert math.isnan(found.values[3])
    assert found.sure


def test_a_time_zone_is_counted_and_a_time_is_a_share_of_the_day() -> None:
    found = days(["1970-01-02T06:00:00+06:00", "1970-01-01T12:00:00Z"])
    assert found is not None
    assert found.values.tolist() == [1.0, 0.5]


def test_a_day_that_may_be_a_month_is_doubted() -> None:
    found = days(["03/04/2024", "05/06/2024"])
    assert found is not None
    assert (found.form, found.sure) == ("day/month/year", False)
    sure = days(["03/04/2024", "05/26/2024"])
    assert sure is not None
    assert (sure.form, sure.sure) == ("month/day/year", True)


@pytest.mark.parametrize(
    "cells",
    [["20240131"], ["2024-01-31", "soon"], ["31.04.2024"], ["red"], [None], ["1.2.3"], ["12:30"], ["x" * 50 + "1"]],
)
def test_what_is_no_date(cells: list[str | None]) -> None:
    assert days(cells) is None


def test_where_in_the_year_and_the_week() -> None:
    """Against the calendar: a week later is the same place in the week, and Mondays are at its beginning.

    Broken on purpose: a week that begins with 1970, on a Thursday.
    """
    monday = datetime(2024, 3, 4)
    values = np.array([(monday + timedelta(days=d) - BEGIN).days for d in range(14)], dtype=float)
    made = cyclic("when", values)
    assert list(made) == [f"when (in the {c}, {f})" for c in ("year", "week") for f in ("sine", "cosine")]
    week = np.array([2 * math.pi * (monday + timedelta(days=d)).weekday() / 7 for d in range(14)])
    np.testing.assert_allclose(made["when (in the week, sine)"], np.sin(week), atol=1e-9)
    np.testing.assert_allclose(made["when (in the week, cosine)"], np.cos(week), atol=1e-9)
    with_time = cyclic("when", np.array([0.25, math.nan, 3.75]))
    np.testing.assert_allclose(with_time["when (in the day, sine)"][[0, 2]], [1.0, -1.0])
    assert math.isnan(with_time["when (in the day, sine)"][1])
    # winter is where winter was, thirty years on
    years = cyclic("when", np.array([(datetime(y, 1, 1) - BEGIN).days for y in (1970, 1999, 2024)], dtype=float))
    np.testing.assert_allclose(years["when (in the year, cosine)"], 1.0, atol=1e-3)
