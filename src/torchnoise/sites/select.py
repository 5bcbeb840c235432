"""Which modules and parameters: by glob, regex, type or predicate, with exclusions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from torch import nn

from ..errors import nearest


@dataclass(frozen=True)
class TypeName:
    """A module type by its class's name, or that of one of its bases: for files, which must not import anything.

    >>> TypeName("Linear").of(nn.Linear(1, 1)), TypeName("ReLU").of(nn.Linear(1, 1))
    (True, False)
    """

    name: str

    def __post_init__(self) -> None:
        if not (isinstance(self.name, str) and self.name.isidentifier()):
            raise ValueError(f"{self.name!r} is not the name of a class, allowed: a name without dots, such as 'ReLU'")

    def __repr__(self) -> str:
        return f"TypeName({self.name!r})"

    def of(self, module: nn.Module) -> bool:
        """Whether `module` is of a class with this name."""
        return any(c.__name__ == self.name for c in type(module).__mro__)


Selector = str | re.Pattern | type | TypeName | Callable[[str, Any], bool]


def as_selectors(given: Selector | Iterable[Selector]) -> tuple[Selector, ...]:
    """One selector or several, as a tuple; anything else is refused in one line."""
    known = str | re.Pattern | type | TypeName
    many = (given,) if isinstance(given, known) or callable(given) else tuple(given)
    for one in many:
        if not (isinstance(one, known) or callable(one)):
            raise TypeError(
                f"selector {one!r}, allowed: a glob such as 'encoder.*', re.compile(...), a module type, "
                "or a function of (name, module)"
            )
    return many


def glob(pattern: str) -> re.Pattern:
    """A glob over dotted names: `*` stays within one part of a name, `**` crosses dots.

    >>> bool(glob("blocks.*.attn").fullmatch("blocks.3.attn")), bool(glob("blocks.*").fullmatch("blocks.3.attn"))
    (True, False)
    """
    parts = re.split(r"(\*\*|\*|\?|\[[^\]]+\])", pattern)
    known = {"**": ".*", "*": "[^.]*", "?": "[^.]"}
    return re.compile("".join(known.get(p, p if p.startswith("[") and len(p) > 2 else re.escape(p)) for p in parts))


def matches(selector: Selector, name: str, module: nn.Module, thing: Any, subtree: bool = False) -> bool:
    """Whether a selector chooses `thing` (a module or a parameter) called `name`, which `module` owns.

    With `subtree`, a name chooses all that lies below it: "encoder.*" has every parameter of every part of encoder.

    >>> matches("encoder.*", "encoder.0.weight", nn.Linear(1, 1), None, subtree=True)
    True
    """
    if isinstance(selector, str | re.Pattern):
        pattern = glob(selector) if isinstance(selector, str) else selector
        names = [name]
        while subtree and "." in names[-1]:
            names.append(names[-1].rpartition(".")[0])
        return any(pattern.fullmatch(n) for n in names)
    if isinstance(selector, type):
        return isinstance(module, selector)
    if isinstance(selector, TypeName):
        return selector.of(module)
    try:
        return bool(selector(name, thing))
    except TypeError as problem:
        called = getattr(selector, "__name__", repr(selector))
        raise TypeError(f"selector {called}: {problem}; allowed: a function of (name, module or parameter)") from None


def select(
    things: Iterable[tuple[str, nn.Module, Any]],
    chosen: tuple[Selector, ...],
    excluded: tuple[Selector, ...],
    what: str,
    subtree: bool = False,
) -> list[tuple[str, nn.Module, Any]]:
    """The (name, module, thing) rows that some selector chooses and no exclusion does, in the model's order.

    Raises:
        LookupError: a selector or an exclusion that matches nothing, with the nearest names.
    """
    rows = list(things)

    def hits(selector: Selector) -> set[int]:
        found = {i for i, (n, m, t) in enumerate(rows) if matches(selector, n, m, t, subtree)}
        if not found:
            names = [n for n, _, _ in rows if n]
            if isinstance(selector, TypeName):
                names = sorted({type(m).__name__ for _, m, _ in rows})
                selector = selector.name
            shown = selector.__name__ if isinstance(selector, type) else selector
            shown = shown.pattern if isinstance(shown, re.Pattern) else shown
            hint = nearest(str(shown), names)
            raise LookupError(f"{what}: nothing matches {shown!r}; {hint}")
        return found

    keep: set[int] = set().union(*(hits(s) for s in chosen)) if chosen else set(range(len(rows)))
    drop: set[int] = set().union(*(hits(s) for s in excluded)) if excluded else set()
    if keep and not keep - drop:
        raise LookupError(f"{what}: everything that matches is excluded")
    return [rows[i] for i in sorted(keep - drop)]
