"""YAML text to a tree that knows its lines. What a plan has no use for is refused: anchors, tags, duplicate keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from .problems import PlanError, Problem
from .scalars import label, scalar, shown

DEEPEST = 32
LARGEST = 256 * 1024  # bytes

OTHER_COLUMN = "the indentation: this key begins in another column than those above it"
# what PyYAML says, and what it most often means
HINTS: dict[str, str] = {
    "found character '\\t' that cannot start any token": "a tab; YAML takes spaces",
    "mapping values are not allowed here": "a ':' where none can be: is the indentation right, or a quote missing?",
    "could not find expected ':'": "a key without ':'",
    "expected <block end>, but found '?'": OTHER_COLUMN,
    "expected <block end>, but found '<block mapping start>'": OTHER_COLUMN,
    "expected <block end>, but found '<block sequence start>'": "a '-' that is indented otherwise than those above it",
    "expected <block end>, but found '-'": "a '-' among keys: is the indentation right?",
    "expected <block end>, but found '<scalar>'": "a word too many, or a quote too few",
    "expected <block end>, but found ','": "a ',' outside brackets",
    "expected <block end>, but found '}'": "a '}' without its '{'",
    "expected <block end>, but found ']'": "a ']' without its '['",
    "found unexpected end of stream": "a quote that is never closed",
    "expected ',' or '}'": "a '{' that is not closed, or a ',' missing after it",
    "expected ',' or ']'": "a '[' that is not closed, or a ',' missing after it",
    "expected the node content": "a value is missing, or a bracket is not closed",
    "expected alphabetic or numeric character": "a word that begins with '*' or '&': put it in quotes",
}
# what a line looks like that PyYAML stumbles over, there or later
LOOKS: tuple[tuple[re.Pattern, str], ...] = (
    (re.compile(r"\s*-\w"), "a '-' without a space after it"),
    (re.compile(r"\s*(- +)?\w+:[^\s:]"), "a ':' without a space after it"),
)
WHERE_IT_BEGAN = ("expected ',' or", "found unexpected end of stream")


@dataclass(frozen=True, slots=True)
class Node:
    """A value and the line of the key (or the dash) that holds it: a scalar, a list of nodes, or nodes by key."""

    line: int
    value: Any

    def child(self, key: object) -> Node | None:
        """The node below, by key or position; None where there is none."""
        if isinstance(self.value, Mapping) and isinstance(key, str):
            return self.value.get(key)
        if isinstance(self.value, list) and isinstance(key, int) and key < len(self.value):
            return self.value[key]
        return None

    def plain(self) -> Any:
        """The same without lines."""
        if isinstance(self.value, Mapping):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


def read_tree(text: str, name: str) -> Node:
    """The tree of a YAML text. Raises PlanError."""
    if len(text) > LARGEST:
        raise PlanError(name, [Problem(None, f"longer than {LARGEST // 1024} KiB, allowed: plans up to that size")])
    loader = None
    try:
        loader = yaml.SafeLoader(text)  # used for its events alone: no node, no tag, no alias is ever resolved
        composer = _Composer(loader, name)
        tree = composer.document()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1 if isinstance(error.position, int) else None
        said = f"the character {error.character!r}, allowed: text"
        if isinstance(error.character, int):
            said = f"the character U+{error.character:04X}, which no text has; is this file binary?"
        raise PlanError(name, [Problem(line, said)]) from None
    except yaml.MarkedYAMLError as error:
        raise PlanError(name, [_problem_of(error, text.splitlines())]) from None
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        if isinstance(error, PlanError):
            raise
        # PyYAML's own scanner fails so, as on the escape "\UFFFFFFFF"
        line = loader.line + 1 if loader is not None else None
        raise PlanError(name, [Problem(line, f"not YAML: {error}")]) from None
    finally:
        if loader is not None:
            loader.dispose()
    if composer.problems:
        raise PlanError(name, composer.problems)
    return tree


def _problem_of(error: yaml.MarkedYAMLError, lines: list[str]) -> Problem:
    for mark in (error.context_mark, error.problem_mark):
        line = lines[mark.line] if mark is not None and mark.line < len(lines) else ""
        means = next((means for look, means in LOOKS if look.match(line)), None)
        if mark is not None and means is not None:
            return Problem(mark.line + 1, f"not YAML: {means}")
    said = error.problem or error.context or "cannot be read"
    began = error.context_mark is not None and said.startswith(WHERE_IT_BEGAN)
    mark = error.context_mark if began else error.problem_mark or error.context_mark
    hint = next((means for says, means in HINTS.items() if said.startswith(says)), said)
    return Problem(None if mark is None else mark.line + 1, f"not YAML: {hint}")


class _Composer:
    """Events to nodes; what is refused and leaves the rest readable is collected."""

    def __init__(self, loader: Any, name: str) -> None:
        self.loader, self.name = loader, name
        self.problems: list[Problem] = []

    def document(self) -> Node:
        self.loader.get_event()  # the stream begins
        if self.loader.check_event(yaml.StreamEndEvent):
            return Node(1, None)
        self.loader.get_event()  # the document begins
        tree = self.node("", None, 0)
        self.loader.get_event()  # and ends
        if not self.loader.check_event(yaml.StreamEndEvent):
            raise self.refuse(self.loader.peek_event(), "a second document, allowed: one plan in a file")
        return tree

    def refuse(self, event: Any, said: str) -> PlanError:
        return PlanError(self.name, [*self.problems, Problem(event.start_mark.line + 1, said)])

    def node(self, path: str, line: int | None, depth: int) -> Node:
        event = self.loader.get_event()
        line = event.start_mark.line + 1 if line is None else line
        if isinstance(event, yaml.AliasEvent):
            said = f"*{label(event.anchor or '')}: a word that begins with '*' needs quotes; a plan has no aliases"
            raise self.refuse(event, said)
        if event.anchor is not None:
            raise self.refuse(event, f"&{label(event.anchor)}: a plan has no anchors; write it out")
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            raise self.refuse(event, f"{label(tag)}: a plan has no tags, allowed: plain values")
        if depth > DEEPEST:
            raise self.refuse(event, f"nested more than {DEEPEST} deep, allowed: up to that")
        if isinstance(event, yaml.ScalarEvent):
            return Node(line, scalar(event.value) if event.implicit[0] else event.value)
        if isinstance(event, yaml.SequenceStartEvent):
            return Node(line, self.items(path, depth))
        return Node(line, self.keys(path, depth))

    def items(self, path: str, depth: int) -> list[Node]:
        found: list[Node] = []
        while not self.loader.check_event(yaml.SequenceEndEvent):
            found.append(self.node(f"{path}[{len(found)}]", None, depth + 1))
        self.loader.get_event()
        return found

    def keys(self, path: str, depth: int) -> dict[str, Node]:
        found: dict[str, Node] = {}
        while not self.loader.check_event(yaml.MappingEndEvent):
            event = self.loader.peek_event()
            key = self.node(path, None, depth + 1)
            if not isinstance(event, yaml.ScalarEvent):
                raise self.refuse(event, f"{path or 'plan'}: a key is {shown(key.value)}, allowed: a word")
            word = event.value
            below = f"{path}.{label(word)}".lstrip(".")
            node = self.node(below, key.line, depth + 1)
            if word in found:
                self.problems.append(Problem(key.line, f"{below}: given twice, first in line {found[word].line}"))
            found.setdefault(word, node)
        self.loader.get_event()
        return found
