"""The JSON Schema for editors: valid, current, and of one mind with the reader about what it can see."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cases import KINDS, PLACES
from jsonschema import Draft202012Validator
from mutations import SHIPPED, broken_plans

import torchnoise as tn
from torchnoise.cli import main
from torchnoise.plans.models import model_of
from torchnoise.plans.schema import schema
from torchnoise.plans.tree import read_tree

COMMITTED = Path(__file__).parents[2] / "docs" / "plan.schema.json"
CHECK = Draft202012Validator(schema())
# what only the kinds themselves know: how values go together, ranges of other fields, patterns, what a site takes
BEYOND_SCHEMAS = {
    "no steps",
    "pepper above salt",
    "a site that the noise cannot enter",
    "no module chosen",
    "a bad glob",
    "a bad regular expression",
}


def tree_of(text: str) -> Any:
    """What an editor checks: the text's values; None where it is not YAML, or not what a plan may be made of."""
    try:
        return read_tree(text, "").plain()
    except tn.PlanError:
        return None


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())
    assert schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_the_committed_copy_is_current(capsys: pytest.CaptureFixture) -> None:
    """To renew it: torchnoise schema > docs/plan.schema.json"""
    assert main(["schema"]) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed) == schema()
    assert COMMITTED.read_text() == printed, "torchnoise schema > docs/plan.schema.json"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_shipped_plans_are_valid(path: Path) -> None:
    CHECK.validate(tree_of(path.read_text()))


def test_what_is_written_is_valid() -> None:
    """Every kind at every place, as to_yaml writes it."""
    for kind in KINDS:
        for place in PLACES:
            if model_of(type(kind.noise)) is None:
                continue
            try:
                plan = tn.Plan(tn.Injection(kind.noise, at=place.site, when=tn.warm_up(3, then=tn.linear(1.0, 0.0, 5))))
            except (TypeError, ValueError):
                continue
            CHECK.validate(tree_of(plan.to_yaml()))


def test_malformed_plans_are_not() -> None:
    """Broken on purpose: models made without extra="forbid" (misspelled keys pass)."""
    seen = set()
    for broken in broken_plans():
        tree = None if b"\xe9" in broken.data else tree_of(broken.data.decode(errors="replace"))
        if tree is None:
            continue
        seen.add(broken.name)
        assert CHECK.is_valid(tree) == (broken.name in BEYOND_SCHEMAS), broken.name
    assert len(seen) >= 40
    assert seen >= BEYOND_SCHEMAS


def test_editors_can_explain_fields() -> None:
    """Descriptions come from docstrings, defaults and choices from the classes."""
    kinds = schema()["$defs"]
    weights = kinds["site.weights"]["properties"]
    assert weights["min_ndim"]["description"].startswith("the least number of axes")
    assert weights["min_ndim"]["default"] == 2
    assert "default" not in kinds["noise.gaussian"]["properties"]["strength"]
    assert kinds["noise.gaussian"]["required"] == ["kind", "strength"]
    assert kinds["noise.bernoulli"]["properties"]["strength"]["maximum"] == 1
    assert "inputs" in kinds["site"]["anyOf"][0]["enum"]
    assert "noise.custom" not in kinds
    assert "$role" not in json.dumps(schema())
