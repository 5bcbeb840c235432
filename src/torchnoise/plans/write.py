"""From a Plan to a YAML text that people can read, and that reads back as the same plan."""

from __future__ import annotations

import os
import re
from functools import singledispatch
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import yaml

from ..noise import Noise
from ..plan import Plan
from ..sites.select import TypeName
from ..sources.tokens.vocabulary import Frequencies
from .kinds import kinds, parts
from .models import model_of
from .problems import PlanError, Problem
from .read import read_text
from .scalars import scalar

WIDEST = 100  # characters of a mapping in braces; longer ones get a line for each key


class _Cannot(Exception):
    """Something that no file can hold."""

    def __init__(self, path: str, said: str) -> None:
        self.path, self.said = path, said


def write_text(plan: Plan) -> str:
    """The plan as YAML. Raises PlanError: a line for each injection that no file can hold."""
    problems, entries = [], []
    for i, injection in enumerate(plan):
        try:
            entries.append(_arguments(injection, f"injections[{i}]"))
        except _Cannot as found:
            problems.append(Problem(None, f"{found.path}: {found.said}"))
    if problems:
        raise PlanError("", problems)
    root = yaml.MappingNode(MAP, [(_node("injections"), _node(entries, block=2))], flow_style=False)
    text = yaml.serialize(root, Dumper=_Dumper, width=10_000, allow_unicode=True)
    read_text(text, "the plan as text")  # what is written can be read
    return text


def write_file(plan: Plan, path: str | os.PathLike[str]) -> None:
    """Write the plan's YAML. Raises PlanError before anything is written, and where the file cannot be."""
    text = write_text(plan)
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        lost = isinstance(error, FileNotFoundError)
        said = f"no such folder {str(Path(path).parent)!r}" if lost else error.strerror or str(error)
        raise PlanError(os.fspath(path), [Problem(None, said)]) from None


# -- values, as what YAML has: None, booleans, numbers, text, lists and mappings ---------------------------------------


@singledispatch
def plain(value: Any, path: str) -> Any:
    """A value as YAML has it."""
    cls: type = type(value)
    kind = {known: kind for table in kinds().values() for kind, known in table.items()}.get(cls)
    if kind is not None and model_of(cls) is None:
        raise _Cannot(path, f"{cls.__name__} takes a function, which no file can hold; keep this plan in Python")
    if kind is not None:
        rest = _arguments(value, path)
        return {"kind": kind, **rest} if rest else kind
    if callable(value) and not isinstance(value, Noise):
        raise _Cannot(path, "a function, which no file can hold; keep this plan in Python")
    raise _Cannot(path, f"{cls.__name__} is none of torchnoise's kinds; keep this plan in Python")


@plain.register(type(None))
@plain.register(bool)
@plain.register(str)
def _(value: Any, path: str) -> Any:
    return value


@plain.register
def _(value: Integral, path: str) -> Any:
    return int(value)


@plain.register
def _(value: Real, path: str) -> Any:
    return float(value)


@plain.register(tuple)
@plain.register(list)
def _(value: Any, path: str) -> Any:
    return [plain(item, f"{path}[{i}]") for i, item in enumerate(value)]


@plain.register
def _(value: Frequencies, path: str) -> Any:
    return list(value.weights)


@plain.register
def _(value: type, path: str) -> Any:
    return {"type": value.__name__}


@plain.register
def _(value: TypeName, path: str) -> Any:
    return {"type": value.name}


@plain.register
def _(value: re.Pattern, path: str) -> Any:
    if not isinstance(value.pattern, str) or re.compile(value.pattern).flags != value.flags:
        raise _Cannot(path, f"{value!r} has flags, allowed: flags inside the pattern, as in '(?i)...'")
    return {"regex": value.pattern}


def _arguments(value: Any, path: str) -> dict[str, Any]:
    return {name: plain(part, f"{path}.{name}") for name, part in parts(value).items()}


# -- as text -----------------------------------------------------------------------------------------------------------

WORD = re.compile(r"[A-Za-z_][\w.-]*")
MAP, SEQ = "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"


class _Dumper(yaml.SafeDumper):
    """Lists are indented below their key."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:
        return super().increase_indent(flow, False)


def _node(value: Any, block: int = 0) -> yaml.Node:
    """A value as a YAML node. block: how many levels have a line for each entry, however short they are."""
    if isinstance(value, dict):
        pairs = [(_node(k), _node(v, block - 1)) for k, v in value.items()]
        return yaml.MappingNode(MAP, pairs, flow_style=block <= 0 and _short(value))
    if isinstance(value, list):
        short = not value or (block <= 0 and _short(value))
        return yaml.SequenceNode(SEQ, [_node(v, block - 1) for v in value], flow_style=short)
    node: Any = yaml.representer.SafeRepresenter().represent_data(value)
    if isinstance(value, str) and not (WORD.fullmatch(value) and isinstance(scalar(value), str)):
        node.style = '"'  # what YAML 1.1 takes for text may be a number here, and globs look the same everywhere
    return node


def _short(value: Any) -> bool:
    """Whether a mapping or a list fits in braces: not too long, and nothing but words and short lists within."""
    inner = list(value.values()) if isinstance(value, dict) else value
    deeper = [w for v in inner for w in (v if isinstance(v, list) else [v])]
    return len(repr(value)) <= WIDEST and not any(isinstance(w, dict) and "kind" in w for w in deeper)
