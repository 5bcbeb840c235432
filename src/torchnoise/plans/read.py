"""From a YAML text to a Plan, or to errors that name file, line, place and what is allowed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, ValidationError

from ..plan import Plan
from .explain import explained, trouble
from .models import injection_of
from .problems import PlanError, Problem
from .scalars import label, scalar, shown
from .slots import Says
from .tree import LARGEST, Node, read_tree


class PlanFile(NamedTuple):
    """What a plan file holds: the plan, a seed for the commands that train, and the line of each injection."""

    plan: Plan
    seed: int | None
    lines: tuple[int, ...]


def _listed(given: Any) -> Any:
    if not isinstance(given, list):
        raise trouble("value", "allowed: a list, each entry of which begins with '- '")
    return given


SEED = "a whole number from 0 to 2^64 - 1"
FIELDS = {"seed": SEED, "injections": "a list of noise and at"}


class Content(BaseModel):
    """A plan for torchnoise: which noise enters a model where, and when."""

    model_config = ConfigDict(extra="forbid", strict=True)
    seed: Annotated[int, Field(ge=0, lt=1 << 64), Says(SEED)] | None = Field(
        default=None, description="the seed of the commands that train"
    )
    injections: Annotated[list[Annotated[Any, PlainValidator(injection_of)]], BeforeValidator(_listed)]


def read_file(path: str | os.PathLike[str]) -> PlanFile:
    """The plan in a YAML file. Raises PlanError, with a line for each problem."""
    name = os.fspath(path)
    try:
        with Path(path).open("rb") as file:
            data = file.read(LARGEST + 1)
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        text = f"byte 0x{data[error.start]:02x} is not UTF-8, allowed: text in UTF-8"
        raise PlanError(name, [Problem(line, text)]) from None
    except IsADirectoryError:
        raise PlanError(name, [Problem(None, "a folder, allowed: a YAML file")]) from None
    except (OSError, ValueError) as error:
        raise PlanError(name, [Problem(None, f"{getattr(error, 'strerror', None) or error}")]) from None
    return read_text(text, name)


def read_text(text: str, name: str = "<text>") -> PlanFile:
    """The plan in a YAML text. name: what errors call it. Raises PlanError."""
    if not isinstance(text, str):
        raise TypeError(f"a plan's text is {type(text).__name__}, allowed: str")
    tree = read_tree(text, name)
    if tree.value is None:
        raise PlanError(name, [Problem(None, "empty, allowed: a plan, which begins with 'injections:'")])
    if not isinstance(tree.value, dict):
        text = f"this is {shown(tree.plain())}, allowed: a plan, which begins with 'injections:'"
        raise PlanError(name, [Problem(tree.line, text)])
    given = tree.plain()
    try:
        content = Content.model_validate(given)
    except ValidationError as error:
        errors = explained(error, "a plan", FIELDS, given).errors(include_url=False)
        raise PlanError(name, [_problem(tree, one["type"], one["loc"], one["msg"]) for one in errors]) from None
    lines = tuple(node.line for node in tree.value["injections"].value)
    return PlanFile(Plan(*content.injections), content.seed, lines)


def _problem(tree: Node, form: str, place: tuple[int | str, ...], said: str) -> Problem:
    node, path = tree, ""
    for step in place:
        below = node.child(step)
        if below is None and isinstance(step, int):
            continue  # one thing in place of a list of one
        path += f"[{step}]" if isinstance(step, int) else f"{'.' if path else ''}{label(step)}"
        node = Node(node.line, None) if below is None else below
    if isinstance(node.value, str) and type(scalar(node.value)) in (int, float) and said.endswith("number"):
        said += " without quotes"
    if type(node.value) in (int, float) and said.endswith("text"):
        said += " in quotes"
    texts = {"says": f"{path}: {said}", "is": f"{path} {said}", "value": f"{path} is {shown(node.plain())}, {said}"}
    return Problem(node.line, texts[form].removeprefix(": "))
