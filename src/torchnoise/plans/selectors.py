"""Selectors in a file: a glob, a class by its name, a regular expression."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictStr, ValidationError
from pydantic_core import CoreSchema, core_schema

from ..errors import nearest
from ..sites.select import TypeName, glob
from .explain import explained, refuse, trouble
from .slots import Says

CLASS = "a class's name without dots, such as ReLU"


class ByType(BaseModel):
    """Modules by their class's name, or that of one of its bases."""

    model_config = ConfigDict(extra="forbid", strict=True)
    type: Annotated[StrictStr, Field(pattern=r"^[^\W\d]\w*$"), Says(CLASS)]


class ByRegex(BaseModel):
    """Names by a regular expression, which has to match all of a name."""

    model_config = ConfigDict(extra="forbid", strict=True)
    regex: Annotated[StrictStr, Says("a regular expression, such as 'layer[0-4][.].*'")]


WAYS: dict[str, tuple[type[BaseModel], Callable[[str], Any]]] = {
    "type": (ByType, TypeName),
    "regex": (ByRegex, re.compile),
}
SELECTORS = "a glob such as 'encoder.*', {type: ReLU} or {regex: 'layer[0-4][.].*'}"


class Select:
    """A selector: a glob, a class's name, a regular expression."""

    def validate(self, given: Any) -> Any:
        if isinstance(given, str):
            self.compile("glob", glob, given)
            return given
        if type(given) in (int, float):
            raise trouble("value", "allowed: a name, which needs quotes where it has digits alone, as in '0'")
        if not isinstance(given, dict) or not given:
            raise trouble("value", f"allowed: {SELECTORS}")
        way = next((w for w in WAYS if w in given), None)
        if way is None:
            raise refuse("says", f"no such way to select; {nearest(next(iter(given)), WAYS)}", next(iter(given)))
        model, make = WAYS[way]
        try:
            text = getattr(model.model_validate(given), way)
        except ValidationError as error:
            raise explained(error, f"a selector by {way}", {way: "text"}, given) from None
        return self.compile("regular expression" if way == "regex" else "class", make, text, way)

    def compile(self, way: str, make: Callable[[str], Any], text: str, *place: str) -> Any:
        try:
            with warnings.catch_warnings():  # re's doubts about a pattern are not this reader's business
                warnings.simplefilter("ignore")
                return make(text)
        except (re.error, RecursionError, OverflowError) as error:
            raise refuse("value", f"no {way}: {error}", *place) from None
        except ValueError:
            raise refuse("value", f"allowed: {CLASS}", *place) from None

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.validate)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        ways = [{**model.model_json_schema(), "title": f"by {way}"} for way, (model, _) in WAYS.items()]
        return {
            "anyOf": [{"type": "string", "description": "a glob: * within a part of a name, ** across dots"}, *ways]
        }
