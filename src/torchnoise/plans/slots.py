"""What a field of a pydantic model may hold: a value of a role, one thing or several; and words for what is allowed."""

from __future__ import annotations

from typing import Any

from pydantic_core import CoreSchema, core_schema

from .kinds import EXAMPLES

ROLE = "$role"  # stands in a JSON schema for a reference to a role's kinds, until schema.py writes that


class Says:
    """Replaces whatever pydantic finds wrong with a value by one error that says what is allowed."""

    def __init__(self, words: str) -> None:
        self.words = words

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.custom_error_schema(
            handler(source),
            custom_error_type="value",
            custom_error_message="{says}",
            custom_error_context={"says": f"allowed: {self.words}"},
        )


class OneOrMore:
    """A list, or one thing that stands for a list of itself."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        listed = core_schema.no_info_before_validator_function(
            lambda given: given if isinstance(given, list) else [given], handler(source)
        )
        return core_schema.no_info_after_validator_function(tuple, listed)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        listed = handler(schema)
        return {"anyOf": [listed["items"], listed]}


class Slot:
    """A value of one role (a noise, a site, ...) and, where `words` has some, one of those words instead."""

    def __init__(self, role: str, words: tuple[str, ...] = ()) -> None:
        self.role, self.words = role, words

    def validate(self, given: Any) -> Any:
        from .models import value_of

        return given if isinstance(given, str) and given in self.words else value_of(self.role, given, self.words)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.validate)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        kind = {ROLE: self.role}
        return {"anyOf": [{"enum": list(self.words)}, kind]} if self.words else kind


def such_as(role: str) -> str:
    """A role in words, with an example."""
    return f"a {role} such as {EXAMPLES[role]}"
