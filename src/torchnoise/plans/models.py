"""The pydantic models, made from the classes of the kinds; and values from what these models let pass."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from ..errors import nearest
from ..plan import Injection
from .explain import explained, refuse, refused, trouble
from .hints import Allowed, allowed
from .kinds import CHOICES, build, fields_of, kind_of, kinds
from .slots import such_as

# words that people know kinds by, and that no spelling leads to
MEANT: dict[str, dict[str, str]] = {
    "noise": {
        **dict.fromkeys(("normal", "gauss", "gaussian_noise", "white"), "gaussian"),
        **dict.fromkeys(("dropout", "binomial"), "bernoulli"),
        **dict.fromkeys(("pink", "brown", "red", "blue"), "colored"),
        **dict.fromkeys(("impulse", "salt_pepper"), "salt_and_pepper"),
        "shot": "poisson",
    }
}
CLOSE = 0.65  # of difflib's likeness, from 0 to 1; less, and what is offered is something else ("percent", "learned")

GIVEN = "given_"  # before a field's own name, which is its alias: pydantic keeps some names, such as `copy`, for itself


@cache
def forms_of(cls: type) -> dict[str, Allowed | None]:
    """What a file may give for each argument of a class; None for those that no file can hold."""
    return {f.name: allowed(f.hint, CHOICES[f.name](cls) if f.name in CHOICES else ()) for f in fields_of(cls)}


@cache
def model_of(cls: type) -> type[BaseModel] | None:
    """The model of a class's arguments; None where it takes one that no file can hold, such as a function."""
    made: dict[str, Any] = {}
    described = descriptions(cls)
    forms = forms_of(cls)
    for field in fields_of(cls):
        form = forms[field.name]
        if form is None:
            return None
        says: dict[str, Any] = {"alias": field.name, "description": described.get(field.name)}
        if not field.needed:
            says["default_factory"] = lambda: None
        made[GIVEN + field.name] = (form.type, Field(**says))
    strict = ConfigDict(extra="forbid", strict=True)
    return create_model(cls.__name__, __config__=strict, __doc__=first_line(cls), **made)


def first_line(cls: type) -> str:
    """What a class is, in a line."""
    return (inspect.getdoc(cls) or cls.__name__).partition("\n")[0]


def descriptions(cls: type) -> dict[str, str]:
    """What the docstring's Args say of each argument."""
    text = (inspect.getdoc(cls) or "").partition("Args:\n")[2].partition("\n\n")[0]
    found = re.findall(r"^ {4}(\w+): (.*(?:\n {8,}.*)*)", text, re.MULTILINE)
    return {name: " ".join(said.split()) for name, said in found}


def value_of(role: str, given: Any, words: tuple[str, ...] = ()) -> Any:
    """The value that a bare word or a mapping with `kind` stands for. words: others that are allowed in its place."""
    table = kinds()[role]
    if isinstance(given, str):
        make = _kind(role, given, table, words)
        needed = [f.name for f in fields_of(table[given]) if f.needed]
        if needed:
            more = ", ".join(f"{name}: ..." for name in needed)
            raise trouble("value", f"which needs {' and '.join(needed)}; write {{kind: {given}, {more}}}")
        return make({})
    if not isinstance(given, dict):
        also = "".join(f"{w!r}, " for w in words)
        raise trouble("value", f"allowed: {also}{such_as(role)}")
    rest = {key: value for key, value in given.items() if key != "kind"}
    if "kind" not in given:
        near = next((key for key in given if nearest(key, ["kind"]).startswith("did")), None)
        if near is None:
            raise refuse("says", f"'kind' is missing, allowed: {such_as(role)}")
        raise refuse("says", "no such key; did you mean 'kind'?", near)
    if not isinstance(given["kind"], str):
        raise refuse("value", f"allowed: the name of a {role}; {nearest('', table)}", "kind")
    return _kind(role, given["kind"], table, words, "kind")(rest)


def _kind(
    role: str, kind: str, table: dict[str, type], words: tuple[str, ...], *place: str
) -> Callable[[dict[str, Any]], Any]:
    """How to make a value of a kind from its arguments."""
    if kind not in table:
        other = next((r for r, theirs in kinds().items() if kind in theirs), None)
        if other is not None:
            raise refuse("value", f"which is a {other}, allowed: {such_as(role)}", *place)
        word = kind_of(type(kind, (), {})) if kind.isidentifier() else kind.lower()  # Gaussian is meant for gaussian
        known = [word] if word in table else [*words, *(k for k, cls in table.items() if model_of(cls) is not None)]
        close = MEANT.get(role, {}).get(word) or next(iter(difflib.get_close_matches(word, known, 1, CLOSE)), None)
        near = f"did you mean {close!r}?" if close else f"allowed: {', '.join(known)}"
        raise refuse("value", f"no such {role}{'; ' if close else ', '}{near}", *place)
    model = model_of(table[kind])
    if model is None:
        raise refuse("value", "which takes a function: no file can hold one, so say this in Python", *place)
    return partial(built, table[kind], model, kind)


def built(cls: type, model: type[BaseModel], label: str, given: dict[str, Any]) -> Any:
    """A value of a class, from a mapping of its arguments. label: what errors call it."""
    forms = {name: form for name, form in forms_of(cls).items() if form is not None}
    try:
        checked = model.__pydantic_validator__.validate_python(given)
    except ValidationError as error:
        raise explained(error, label, {name: form.words for name, form in forms.items()}, given) from None
    ready = {name.removeprefix(GIVEN): getattr(checked, name) for name in checked.model_fields_set}
    try:
        return build(cls, ready)
    except (TypeError, ValueError, ArithmeticError) as error:
        rest = [f.name for f in fields_of(cls) if f.rest]
        raise refused(str(error), cls, ready, rest) from None


def injection_of(given: Any) -> Injection:
    """One entry of `injections`."""
    if not isinstance(given, dict):
        raise trouble("value", "allowed: a mapping with noise and at")
    model = model_of(Injection)
    assert model is not None
    return built(Injection, model, "an injection", given)
