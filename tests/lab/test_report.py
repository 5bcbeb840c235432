"""The page: holds all it shows, says all it should, and escapes what it is given."""

import copy
import re

import pytest
from lab.test_compare import made_up

from torchnoise.lab.report import render
from torchnoise.lab.results import assemble, choices, chosen_runs
from torchnoise.lab.settings import Settings


def results_with(test_of=lambda run: 0.9, diverged=lambda run: False):
    settings = Settings(seeds=3)
    records = made_up(settings, lambda run: 0.9 + 0.01 * run.seed + 0.01 * (run.noise == "dropout"), diverged)
    chosen = choices(records, settings)
    test = {run: test_of(run) for run in chosen_runs(chosen, settings)}
    costs = dict.fromkeys(settings.noises, 3.0)
    return assemble(settings, records, test, costs, {"train": 50, "validation": 25, "test": 500})


def test_nothing_is_loaded():
    page = render(results_with())
    assert "http" not in page
    assert "<script" not in page
    assert not re.search(r"<(img|link|iframe|object)|@import|url\((?!#)", page)
    assert 'name="viewport"' in page
    assert page.count('role="img"') == page.count("aria-label=") == 1 + 7
    assert "#0102" not in page  # every stand-in colour has become the page's own


def test_text_is_escaped():
    results = copy.deepcopy(results_with())
    evil = "<b onclick='x'>&"
    results["verdict"]["sentence"] = results["settings"]["model"] = evil
    for noise in results["noises"]:
        noise["name"] = noise["description"] = noise["unit"] = noise["chosen"]["code"][3] = evil
    results["winner"] = evil
    page = render(results)
    assert "<b onclick" not in page
    assert "&lt;b onclick" in page


@pytest.mark.parametrize(
    ("change", "headline"),
    [
        (0.05, "Dropout helps here"),
        (-0.05, "Dropout hurts here"),
        (0.0, "Dropout makes no difference that can be seen"),
    ],
)
def test_headline_and_words(change, headline):
    results = results_with(lambda run: 0.9 + 0.002 * run.seed + change * (run.noise == "dropout"))
    page = render(results)
    assert f"<h1>{headline}</h1>" in page
    assert ("would have stood out" in page) == (change == 0.0)
    assert "not corrected for looking at several" in page


def test_a_page_without_a_winner():
    results = results_with(diverged=lambda run: run.noise != "clean")
    assert results["winner"] is None
    assert "Every noise diverged" in render(results)
