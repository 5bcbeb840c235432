"""What pydantic, or a class itself, finds wrong: as errors with the place they belong to, in this package's words.

An error's type says how its text follows the path: "says" after a colon, "is" after a space, "value" after the value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from ..errors import nearest

OURS = ("says", "is", "value")


def trouble(form: str, text: str) -> PydanticCustomError:
    """An error at the value being checked."""
    return PydanticCustomError(form, "{text}", {"text": text})


def refuse(form: str, text: str, *place: str | int) -> ValidationError:
    """An error at a place below the value being checked."""
    return ValidationError.from_exception_data("plan", [InitErrorDetails(type=trouble(form, text), loc=place, input=0)])


def explained(
    error: ValidationError, label: str, fields: Mapping[str, str], given: Mapping[str, Any]
) -> ValidationError:
    """pydantic's errors, reworded. What is missing because its name is misspelled is said once.

    label: what the thing is called;  fields: its fields, with words for what each may be;  given: what it was given.
    """
    found: list[InitErrorDetails] = []
    meant: set[str] = set()
    for one in sorted(error.errors(include_url=False), key=lambda e: e["type"] == "missing"):
        form, text, name = one["type"], one["msg"], str(one["loc"][-1])
        if form == "extra_forbidden":
            near = nearest(name, [f for f in fields if f not in given], count=1)
            known = [f for f in fields if near == f"did you mean {f!r}?"]
            meant.update(known)
            form, text = "says", f"no such field of {label}; {near if known else nearest('', fields)}"
        elif form == "missing":
            if name in meant:
                continue
            form, text = "says", f"missing, allowed: {fields[name]}"
        assert form in OURS, one
        found.append(InitErrorDetails(type=trouble(form, text), loc=one["loc"], input=0))
    return ValidationError.from_exception_data("plan", found)


def refused(said: str, cls: type, ready: Mapping[str, Any], rest_of: list[str]) -> ValidationError:
    """What a class says of its arguments, at the argument that it names.

    "Gaussian: strength is -1, allowed: ..." belongs to `strength`; "Tokens: Gaussian(0.1) gives no whole numbers",
    which a site says to an injection, to the argument that holds the site; "Activations: no module chosen" to its
    selectors, rest_of, which are not given.
    """
    rest = said.removeprefix(f"{cls.__name__}: ")
    word = re.match(r"\w+", rest)
    if word is not None and word[0] in ready:
        is_value = f"{word[0]} is {ready[word[0]]!r}, "
        if rest.startswith(is_value):
            return refuse("value", rest.removeprefix(is_value), word[0])
        if rest.startswith(f"{word[0]} is "):
            return refuse("is", rest.removeprefix(f"{word[0]} "), word[0])
        return refuse("says", rest, word[0])
    holder = [name for name, value in ready.items() if said.startswith(type(value).__name__)]
    return refuse("says", rest, *[*holder, *rest_of][:1])
