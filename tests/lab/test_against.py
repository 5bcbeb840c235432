"""This run against an earlier one: what differs is said, chance is not taken for a change, and files are checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lab.report.made import made
from scipy.stats import binom

from torchnoise.lab.against import Against, Change, compare_results, load_results
from torchnoise.lab.results import Difference, Results

RESULTS = made()


def with_differences(results: Results, **given: tuple[float, float]) -> Results:
    """Other differences, as (mean, half width) by name."""

    def changed(mean: float, half: float) -> dict[str, float]:
        return {"mean": mean, "low": mean - half, "high": mean + half}

    noises = [
        n.model_copy(update={"difference": n.difference.model_copy(update=changed(*given[n.name]))})
        if n.name in given and n.difference
        else n
        for n in results.noises
    ]
    return results.model_copy(update={"noises": noises})


def change_of(against: Against, name: str) -> Change:
    (found,) = (c for c in against.changes if c.name == name)
    return found


def test_a_run_against_itself() -> None:
    against = compare_results(RESULTS, RESULTS)
    assert against.settings == []
    assert against.comparable
    assert [c.name for c in against.changes] == [n.name for n in RESULTS.noises]
    assert all(c.z == 0 and c.p == 1 and c.within_chance and c.word == "the same" for c in against.changes)
    assert against.winner == (RESULTS.winner, RESULTS.winner)


@pytest.mark.parametrize(
    ("part", "field", "value", "line"),
    [
        ("data", "fingerprint", "f" * 64, "the training and validation data are not the same"),
        ("data", "sizes", {"train": 9, "test": 3}, "data sizes: 1077 train, 360 validation, 360 test then, 9 train"),
        ("model", "epochs", 7, "model epochs: 25 then, 7 now"),
        ("model", "learning_rate", 0.5, "model learning rate: 0.003 then, 0.5 now"),
        ("search", "rounds", [1], "search rounds: 2, 2, 4 then, 1 now"),
        ("", "seed", 8, "seed: 0 then, 8 now"),
        ("", "versions", {"torch": "3"}, "version of torch: 2.13.0 then, 3 now"),
    ],
)
def test_what_was_set_otherwise_is_said(part: str, field: str, value: Any, line: str) -> None:
    changed = getattr(RESULTS, part).model_copy(update={field: value}) if part else value
    against = compare_results(RESULTS, RESULTS.model_copy(update={part or field: changed}))
    assert any(found.startswith(line) for found in against.settings)
    if field != "versions":
        assert len(against.settings) == 1
    assert against.lines()[0].startswith("Not the same as in the earlier run: ")


def test_z_by_hand() -> None:
    """Winner: one test, so that its half width of 1.96 is a standard error of 1. The seven others: Bonferroni's."""
    old = with_differences(RESULTS, gaussian_input=(0.0, 1.959964), dropout=(0.0, 2.690110))
    new = with_differences(RESULTS, gaussian_input=(4.0, 1.959964), dropout=(-6.0, 2.690110))
    against = compare_results(old, new)
    assert change_of(against, "gaussian_input").z == pytest.approx(4 / 2**0.5, rel=1e-5)
    assert change_of(against, "dropout").z == pytest.approx(-6 / 2**0.5, rel=1e-5)
    assert change_of(against, "gaussian_input").p == pytest.approx(8 * 0.00467773, rel=1e-4)
    assert change_of(against, "gaussian_input").word == "more, beyond chance"
    assert change_of(against, "dropout").word == "less, beyond chance"
    assert change_of(against, "weight").word == "the same"


def test_an_interval_that_ends_at_zero_is_no_smaller_error() -> None:
    whole = with_differences(RESULTS, gaussian_input=(3.0, 4.0))
    cut = [
        n.model_copy(update={"difference": n.difference.model_copy(update={"low": 0.0})})
        if n.name == "gaussian_input" and n.difference
        else n
        for n in whole.noises
    ]
    against = [compare_results(RESULTS, r) for r in (whole, whole.model_copy(update={"noises": cut}))]
    assert len({change_of(a, "gaussian_input").z for a in against}) == 1


def test_scores_of_another_kind_are_not_compared() -> None:
    against = compare_results(made("table", classes=False), RESULTS)
    assert not against.comparable
    assert against.changes == []
    assert "Scores are of another kind and cannot be compared." in against.lines()


def test_noises_of_one_run_alone() -> None:
    old, new = made(names=("dropout", "weight")), made(names=("weight", "gradient"))
    against = compare_results(old, new)
    assert [c.name for c in against.changes] == ["weight"]
    assert (against.only_then, against.only_now) == (["dropout"], ["gradient"])
    assert "The winner is weight; it was dropout." in against.lines()


def test_chance_is_rarely_taken_for_a_change() -> None:
    """2,000 pairs of runs of three noises in which nothing changed, with exact intervals: a change is seen in some
    noise in 5 % at most. A false alarm of this test: 1 in 10,000."""
    rng, alarms, trials = np.random.default_rng([5, 1]), 0, 2000
    template = made(names=("dropout", "weight", "gradient"))
    halves = {"dropout": 1.959964, "weight": 2.241403, "gradient": 2.241403}  # of a standard error of 1

    def draw() -> Results:
        return with_differences(template, **{n: (float(rng.standard_normal()), half) for n, half in halves.items()})

    for _ in range(trials):
        alarms += any(not c.within_chance for c in compare_results(draw(), draw()).changes)
    assert alarms <= binom.ppf(0.9999, trials, 0.05)
    assert alarms >= binom.ppf(0.0001, trials, 0.03)  # nor is the test asleep


def test_a_file_comes_back(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(RESULTS.model_dump_json(), encoding="utf-8")
    assert load_results(tmp_path / "results.json") == RESULTS
    assert load_results(tmp_path) == RESULTS  # the folder will do


def broken(change: Any) -> bytes:
    content = json.loads(RESULTS.model_dump_json())
    change(content)
    return json.dumps(content).encode()


FILES = {
    "empty": (b"", "not JSON"),
    "no text": (b"\xff\xfe\x00\x93", "not JSON"),
    "torn": (RESULTS.model_dump_json()[:1000].encode(), "not JSON"),
    "deep": (b"[" * 100_000, "not JSON"),
    "a list": (b"[1, 2]", "not of a comparison"),
    "something else": (b'{"a": 1}', "not of a comparison"),
    "version 1": (b'{"schema_version": 1}', "version 1 of results.json, allowed: 2"),
    "a strange version": (json.dumps({"schema_version": ["x" * 99]}).encode(), "version ['xxx"),
    "nearly empty": (b'{"schema_version": 2}', "seed: Field required, and "),
    "no number": (broken(lambda r: r["clean"]["arm"]["test"].append("x")), "clean.arm.test.5: Input should be a"),
    "not finite": (broken(lambda r: r.update(confidence=float("nan"))), "confidence: Input should be a finite"),
    "more than there is": (broken(lambda r: r.update(extra=1)), "extra: Extra inputs"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_none_is_told_in_one_line(name: str, tmp_path: Path) -> None:
    content, message = FILES[name]
    path = tmp_path / "results.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"^--against ") as caught:
        load_results(path)
    said = str(caught.value)
    assert message in said
    assert str(path) in said
    assert "\n" not in said


def test_no_file_at_all(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"--against .*none.json: No such file"):
        load_results(tmp_path / "none.json")
    with pytest.raises(ValueError, match=r"--against .*results.json: No such file"):
        load_results(tmp_path)


def test_differences_are_what_they_say() -> None:
    one = RESULTS.noises[0].difference
    assert isinstance(one, Difference)
    line = Change("a", one, one, 0.0, 1.0, True).line()
    assert line.startswith(f"a: {one.mean:+.2f} ({one.low:+.2f} to {one.high:+.2f}) points; it was ")
