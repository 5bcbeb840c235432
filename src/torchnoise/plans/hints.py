"""From an annotation in the code to what pydantic checks in a file, with the words for what is allowed."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, NamedTuple, Union

from pydantic import AllowInfNan, Strict, StrictBool, StrictInt, StrictStr, WithJsonSchema

from ..sites.select import Selector
from .kinds import role_of
from .selectors import SELECTORS, Select
from .slots import OneOrMore, Says, Slot, such_as


class Allowed(NamedTuple):
    """What a field takes: a type for pydantic, and words for people."""

    type: Any
    words: str


def one_of(words: Sequence[str]) -> str:
    """Words to choose from, for people."""
    return ", ".join(map(repr, words))


def _plain(type_: Any, words: str) -> Allowed:
    return Allowed(Annotated[type_, Says(words)], words)


PLAIN: dict[Any, Allowed] = {
    # a whole number stays one: 0 and 0.0 are printed differently, and so written
    float: _plain(
        Annotated[StrictInt | Annotated[float, Strict(), AllowInfNan(False)], WithJsonSchema({"type": "number"})],
        "a number",
    ),
    int: _plain(StrictInt, "a whole number"),
    bool: _plain(StrictBool, "true or false"),
    str: _plain(StrictStr, "text"),
    Selector: Allowed(Annotated[Any, Select()], SELECTORS),
}


def allowed(hint: Any, words: tuple[str, ...] = ()) -> Allowed | None:
    """What a file may give for an annotation; None where no file can hold it, as a function.

    words: what a text is limited to.
    """
    if hint is str and words:
        return _plain(Literal[words], one_of(words))
    if hint in PLAIN:
        return PLAIN[hint]
    if isinstance(hint, type) and (role := role_of(hint)) is not None:
        return Allowed(Annotated[Any, Slot(role)], such_as(role))
    origin = typing.get_origin(hint)
    return FORMS[origin](hint, words) if origin in FORMS else None


def _union(hint: Any, words: tuple[str, ...]) -> Allowed | None:
    members = typing.get_args(hint)
    empty = type(None) in members
    roles = [r for m in members if isinstance(m, type) and (r := role_of(m)) is not None]
    if roles:  # a word names a kind that needs nothing more, so both are looked up in one place
        found = [Allowed(Annotated[Any, Slot(roles[0], words)], such_as(roles[0]))]
    else:
        each = [allowed(m, words) for m in members if m is not type(None)]
        found = [a for a in each if a is not None]
    if not found:
        return None
    said = list(dict.fromkeys(a.words for a in found))
    if "a number" in said and "a whole number" in said:
        said.remove("a whole number")
    together: Any = Union[tuple(a.type for a in found)]  # noqa: UP007 - made of a list
    if len(found) > 1:
        together = Annotated[together, Says(" or ".join(said))]
    return Allowed(together | None if empty else together, " or ".join(said))


def _literal(hint: Any, words: tuple[str, ...]) -> Allowed:
    return _plain(hint, one_of(typing.get_args(hint)))


def _listed(hint: Any, words: tuple[str, ...]) -> Allowed | None:
    items = [a for a in typing.get_args(hint) if a is not ...]
    inner = [a for item in items if (a := allowed(item, words)) is not None]
    if not inner or len(inner) < len(items):
        return None
    if len(inner) > 1:
        both = " and ".join(a.words for a in inner)
        fixed: Any = tuple.__class_getitem__(tuple(a.type for a in inner))
        return _plain(Annotated[fixed, Strict(False)], f"a list of {both}")
    item, words_of_item = inner[0]
    return Allowed(Annotated[list[item], OneOrMore()], f"a list, each {words_of_item}")  # type: ignore[valid-type]


def _schedule(hint: Any, words: tuple[str, ...]) -> Allowed | None:
    from ..schedules import Schedule

    return Allowed(Annotated[Any, Slot("schedule")], such_as("schedule")) if hint == Schedule else None


FORMS: dict[Any, Callable[[Any, tuple[str, ...]], Allowed | None]] = {
    Union: _union,
    types.UnionType: _union,
    Literal: _literal,
    tuple: _listed,
    list: _listed,
    Sequence: _listed,
    Callable: _schedule,
}
