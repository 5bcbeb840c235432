"""The JSON Schema of results.json: valid, current, and fulfilled by what is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, ValidationError
from lab.report import made

from torchnoise.lab.results.schema import schema_text

COMMITTED = Path(__file__).parents[2] / "docs" / "results.schema.json"
RENEW = (
    "python -c 'from torchnoise.lab.results.schema import schema_text; print(schema_text())' > docs/results.schema.json"
)


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(json.loads(schema_text()))


def test_the_committed_copy_is_current() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == schema_text() + "\n", f"to renew it: {RENEW}"


@pytest.mark.parametrize("case", list(made.ALL))
def test_results_fulfil_it(case: str) -> None:
    Draft202012Validator(json.loads(schema_text())).validate(json.loads(made.ALL[case]().model_dump_json()))


def test_it_can_say_no() -> None:
    content = json.loads(made.made().model_dump_json())
    content["clean"]["arm"]["test"] = "0.9"
    with pytest.raises(ValidationError):
        Draft202012Validator(json.loads(schema_text())).validate(content)
