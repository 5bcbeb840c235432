"""The JSON Schema of results.json, for programs that read it."""

from __future__ import annotations

import json

from .model import SCHEMA_VERSION, Results

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_text() -> str:
    """The schema as docs/results.schema.json holds it."""
    title = f"torchnoise results, version {SCHEMA_VERSION}"
    return json.dumps({"$schema": DIALECT, **Results.model_json_schema(), "title": title}, indent=2, ensure_ascii=False)
