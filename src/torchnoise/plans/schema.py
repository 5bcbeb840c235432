"""The JSON Schema of plan files, by which editors complete and check them while they are written."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

from ..noise import Noise
from ..plan import Injection
from .kinds import fields_of, kinds
from .models import model_of
from .read import Content
from .slots import ROLE
from .write import plain

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """The schema, JSON Schema 2020-12. It knows names and types; what numbers may be, the kinds themselves check.

    >>> from jsonschema import Draft202012Validator
    >>> check = Draft202012Validator(schema())
    >>> check.is_valid({"injections": [{"noise": {"kind": "gaussian", "strength": 0.1}, "at": "inputs"}]})
    True
    >>> check.is_valid({"injections": [{"noise": {"kind": "gaussian", "strenght": 0.1}, "at": "inputs"}]})
    False
    """
    definitions: dict[str, Any] = {"injection": _of_class(Injection)}
    for role, table in kinds().items():
        written = {kind: cls for kind, cls in table.items() if model_of(cls) is not None}
        alone = [kind for kind, cls in written.items() if not any(f.needed for f in fields_of(cls))]
        definitions |= {f"{role}.{kind}": _of_class(cls, kind) for kind, cls in written.items()}
        ways = [{"$ref": f"#/$defs/{role}.{kind}"} for kind in written]
        definitions[role] = {"anyOf": [{"enum": alone}, *ways] if alone else ways}
    top = _of_model(Content)
    top["properties"]["injections"] = {"type": "array", "items": {"$ref": "#/$defs/injection"}}
    return {"$schema": DIALECT, "title": "torchnoise plan", **top, "$defs": definitions}


def schema_text() -> str:
    """The schema as `torchnoise schema` prints it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False)


def _of_model(model: type[BaseModel]) -> dict[str, Any]:
    made = _tidy(model.model_json_schema())
    made.pop("title")
    return made


def _of_class(cls: type, kind: str | None = None) -> dict[str, Any]:
    """The schema of a mapping: a class's arguments, and its kind where it has one."""
    model = model_of(cls)
    assert model is not None
    made = _of_model(model)
    properties = made.setdefault("properties", {})
    for field in fields_of(cls):
        if field.name in properties and not field.needed and not field.rest and field.default is not None:
            properties[field.name]["default"] = plain(field.default, field.name)
    if issubclass(cls, Noise):
        properties["strength"] |= {"minimum": 0, **({"maximum": 1} if cls.largest == 1 else {})}
    if kind is not None:
        made["properties"] = {"kind": {"const": kind}, **properties}
        made["required"] = ["kind", *made.get("required", ())]
    return made


def _tidy(made: Any) -> Any:
    """Without pydantic's titles, and with references where a role's kinds belong."""
    if isinstance(made, list):
        return [_tidy(item) for item in made]
    if not isinstance(made, dict):
        return made
    if ROLE in made:
        return {**{k: v for k, v in made.items() if k != ROLE}, "$ref": f"#/$defs/{made[ROLE]}"}
    return {
        key: {name: _tidy({k: v for k, v in each.items() if k != "title"}) for name, each in value.items()}
        if key == "properties"
        else _tidy(value)
        for key, value in made.items()
    }
