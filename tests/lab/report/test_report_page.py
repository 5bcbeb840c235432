"""The page: holds all it shows, says all it should, escapes what it is given, and can be read by everyone."""

from __future__ import annotations

import re
from functools import cache

import pytest
from lab.report import made
from lab.report.pages import Element, read, rows

from torchnoise.lab.against import compare_results
from torchnoise.lab.report import render
from torchnoise.lab.report.page import POLICY
from torchnoise.lab.results import Results


@cache
def results_of(case: str) -> Results:
    return made.ALL[case]()


@cache
def page_of(case: str) -> str:
    results = results_of(case)
    return render(results, made.timing(results), compare_results(results, results))


@cache
def tree_of(case: str) -> Element:
    return read(page_of(case))


cases = pytest.mark.parametrize("case", list(made.ALL))


def section(case: str, anchor: str) -> Element:
    (found,) = tree_of(case).all("section", id=anchor)
    return found


@cases
def test_it_loads_nothing_and_runs_nothing(case: str) -> None:
    tree = tree_of(case)
    assert {e.tag for e in tree.all()}.isdisjoint({"script", "link", "iframe", "object", "embed", "form", "base"})
    for element in tree.all():
        for name, value in element.attributes.items():
            assert not name.startswith("on")
            if name in ("src", "href", "srcset", "action"):
                assert (value or "").startswith(("#", "data:image/png;base64,"))
    (style,) = tree.all("style")
    assert not re.search(r"@import|url\(", style.text)
    assert tree.all("meta", content=POLICY)


@cases
def test_texts_stay_texts(case: str) -> None:
    page = page_of(case)
    assert page.startswith("<!doctype html>")
    assert "<script" not in page
    (title,) = tree_of(case).all("title")[:1]
    assert title.text == results_of(case).verdict.headline  # an attack too is shown as what it is
    (head,) = tree_of(case).all("h1")
    assert head.text == results_of(case).verdict.headline


@cases
def test_every_picture_can_be_read_aloud(case: str) -> None:
    tree = tree_of(case)
    pictures = tree.all(role="img")
    assert pictures
    for picture in pictures:
        assert re.search(r"\d", picture.attributes["aria-label"] or "")  # the numbers are told
        assert picture.all("svg")
    assert all(svg.attributes.get("aria-hidden") == "true" for svg in tree.all("svg"))
    assert all(image.attributes["alt"] for image in tree.all("img"))
    assert all(figure.all("figcaption") for figure in tree.all("figure"))
    for box in (e for e in tree.all() if "scroll" in (e.attributes.get("class") or "").split()):
        assert box.attributes["tabindex"] == "0"  # a keyboard reaches what scrolls
        assert box.attributes["aria-label"]


@cases
def test_identifiers_are_unique_and_found(case: str) -> None:
    names = [e.attributes["id"] for e in tree_of(case).all() if "id" in e.attributes]
    assert len(names) == len(set(names))
    referred = {e.attributes["href"] for e in tree_of(case).all() if (e.attributes.get("href") or "").startswith("#")}
    clips = re.findall(r'clip-path="url\((#[^)]*)\)"', page_of(case))
    assert clips
    assert {name[1:] for name in [*referred, *clips] if name} <= set(names)


@pytest.mark.parametrize("case", [c for c in made.ALL if c != "evil"])
def test_stand_in_colours_became_the_pages(case: str) -> None:
    assert "#0102" not in page_of(case)
    assert "DejaVu" not in page_of(case)


FIRST = ["earlier", "differences", "strengths", "curves", "robustness", "calibration", "sharpness"]
SECTIONS = [*FIRST, "combinations", "cost", "samples", "sites", "use", "numbers", "how"]


def test_sections_in_order() -> None:
    assert [s.attributes["id"] for s in tree_of("images").all("section")] == SECTIONS
    links = [a.attributes["href"] for a in tree_of("images").all("a")]
    assert links == [f"#{anchor}" for anchor in SECTIONS]


@pytest.mark.parametrize(
    ("case", "missing"),
    [
        ("all diverged", {"combinations", "cost", "samples", "sites", "use"}),
        ("winner diverged", {"combinations"}),
        ("plain", {"robustness", "calibration", "sharpness", "combinations", "samples", "sites"}),
    ],
)
def test_sections_without_content_are_left_out(case: str, missing: set[str]) -> None:
    shown = {s.attributes["id"] for s in tree_of(case).all("section")}
    assert set(SECTIONS) - shown == missing
    assert all(f"#{name}" not in [a.attributes["href"] for a in tree_of(case).all("a")] for name in missing)


def test_without_a_clock_or_an_earlier_run() -> None:
    shown = {s.attributes["id"] for s in read(render(results_of("plain"))).all("section")}
    assert shown.isdisjoint({"cost", "earlier"})


@cases
def test_the_table_holds_the_numbers(case: str) -> None:
    """Against results.json, formatted here once more, the plain way."""
    results = results_of(case)
    (table,) = section(case, "numbers").all("table")
    *noises, clean = rows(table)
    percent = (lambda x: f"{100 * x:.2f} %") if results.data.metric == "accuracy" else (lambda x: f"{x:.3f}")
    assert clean[0] == "clean"
    assert clean[3] == percent(results.clean.arm.test_mean)
    assert len(noises) == len(results.noises)
    for row, noise in zip(noises, results.noises, strict=True):
        assert row[0] == noise.name + noise.description
        assert noise.verdict in row[-1]
        if noise.arm is None or noise.difference is None:
            assert "diverged" in row[1]
            continue
        found = noise.difference
        validation = sum(noise.arm.validation) / len(noise.arm.validation)
        assert row[2:4] == [percent(validation), percent(noise.arm.test_mean)]
        assert f"{found.mean:+.2f}{found.low:+.2f} to {found.high:+.2f}" in row
        assert f"{found.detectable:.2f}" in row


@cases
def test_the_forest_has_every_tested_noise_once_the_best_first(case: str) -> None:
    results = results_of(case)
    tested = sorted((n for n in results.noises if n.difference), key=lambda n: -n.difference.mean)
    told = [p.attributes["aria-label"] or "" for p in section(case, "differences").all(role="img")]
    assert [t.split(": ")[0] for t in told] == [n.name.split(": ")[0] for n in tested]
    for noise, text in zip(tested, told, strict=True):
        assert all(f"{d:+.2f}".replace("-0.00", "+0.00") in text for d in noise.difference.by_seed)
    tags = [e for e in section(case, "differences").all("span") if e.attributes.get("class") == "tag"]
    assert [t.text for t in tags] == (["winner"] if results.winner else [])


def test_doubts_are_prominent_and_kept() -> None:
    (doubt,) = results_of("images").data.doubts
    (header,) = tree_of("images").all("header")
    assert doubt in header.text
    assert doubt in section("images", "how").text


def test_how_it_was_computed() -> None:
    results = results_of("images")
    told = section("images", "how").text
    assert results.data.fingerprint in told
    assert all(f"{name} {number}" in told for name, number in results.versions.items())
    assert "148 runs; a full grid would have taken 328" in told
    assert "torchnoise compare --seed 9" not in told
    asked = results.model_copy(update={"command": "torchnoise compare --seed 9"})
    assert "torchnoise compare --seed 9" in render(asked)


def test_what_diverged_is_said() -> None:
    assert "dropout (diverged at every strength)" in section("all diverged", "differences").text
    assert "gaussian_input (diverged when it was trained again)" in section("winner diverged", "differences").text
    assert "80 runs diverged" in section("all diverged", "how").text
    assert section("winner diverged", "use").all("details")  # no winner to use, but the others


def test_changes_to_inputs_are_marked() -> None:
    sample = made.made("text").noises[0].sample
    assert sample is not None
    text = section("text", "samples")
    assert [e.text for e in text.all("del")] == ["never", ","]
    assert [e.text for e in text.all("ins")] == ["car"]

    sample = results_of("regression").noises[0].sample
    assert sample is not None
    changed = [e.text for e in section("regression", "samples").all("td") if "changed" in (e.attributes["class"] or "")]
    expected = [f"{b:.2f}" for a, b in zip(sample.clean, sample.noisy, strict=True) if a != b]
    assert 0 < len(expected) < len(sample.clean)
    assert changed[: len(expected)] == expected


def test_robustness_in_points_by_hand() -> None:
    """The summary's first cell, from the raw curves: the mean over seeds and severities of 100 (noise - clean)."""
    results = results_of("images")
    summary = section("images", "robustness").all("table")[0]
    noise = results.noises[0]
    assert noise.arm is not None
    mine, theirs = noise.arm.figures, results.clean.arm.figures
    assert mine is not None
    assert theirs is not None
    pairs = zip(mine.corruptions[0].scores.y, theirs.corruptions[0].scores.y, strict=True)
    changes = [100 * (a - b) for one, other in pairs for a, b in zip(one, other, strict=True)]
    assert rows(summary)[0][:2] == [noise.name, f"{sum(changes) / len(changes):+.2f}"]


def test_the_same_results_give_the_same_page_of_no_great_size() -> None:
    results = made.ALL["plain"]()
    assert render(results) == render(results)
    assert len(page_of("images").encode()) < 1_500_000
