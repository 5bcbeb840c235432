"""tn.faster_dropout: torchnoise's dropout in a model that has torch's."""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import cache
from typing import NamedTuple

from torch import nn
from torch.nn.modules.dropout import _DropoutNd

from ..patch import is_patched
from .dropout import Dropout


class Swapped(NamedTuple):
    """What faster_dropout did: the names of the layers it swapped, and (name, reason) of the dropout that it left."""

    swapped: tuple[str, ...]
    left: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        lines = [f"{len(self.swapped)} dropout layers are fast now, {len(self.left)} left as they were"]
        lines += [f"  {name}: {reason}" for name, reason in self.left]
        return "\n".join(lines)


def faster_dropout(model: nn.Module) -> Swapped:
    """Turn every nn.Dropout that a model calls into torchnoise's, in place; print the result to see what was left.

    The layers stay the same objects, with the same p, hooks and mode; only their class changes. Left as it is: dropout
    inside attention kernels, which read a layer's p and never call it, or have a number of their own; recurrent layers'
    dropout; kinds that drop whole channels; subclasses of nn.Dropout; functional dropout.

    Raises:
        RuntimeError: a dropout layer in which an attachment has its noise; swap first, then attach.

    >>> model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.1), nn.Dropout2d(0.1))
    >>> print(faster_dropout(model))
    1 dropout layers are fast now, 1 left as they were
      2: Dropout2d is another kind of dropout
    """
    swapped, left = [], []
    for name, module in model.named_modules():
        if isinstance(module, _DropoutNd):
            reason = _why_not(model, name, module)
            if reason is None:
                module.__class__ = Dropout
                swapped.append(name)
            elif not isinstance(module, Dropout):
                left.append((name, reason))
        elif isinstance(getattr(module, "dropout", None), float) and module.dropout > 0:
            left.append((name, f"{type(module).__name__} drops by itself, with its number dropout={module.dropout:g}"))
        elif _calls_functional_dropout(type(module)):
            left.append((name, f"{type(module).__name__} calls functional dropout"))
    return Swapped(tuple(swapped), tuple(left))


def _why_not(model: nn.Module, name: str, module: nn.Module) -> str | None:
    kind = type(module)
    if kind is not nn.Dropout:
        return f"{kind.__name__} is another kind of dropout"
    if is_patched(module):
        raise RuntimeError(f"faster_dropout: an attachment has its noise in {name!r}; swap first, then attach")
    if "forward" in module.__dict__:
        return "something replaced its forward"
    parent_name, _, attribute = name.rpartition(".")
    parent = type(model.get_submodule(parent_name))
    if name and _reads_but_never_calls(parent, attribute):
        return f"{parent.__name__} reads its p and never calls it, as for dropout inside an attention kernel"
    return None


@cache
def _tree(kind: type) -> ast.Module | None:
    """The source of a class and of those it inherits from, up to torch's; None where it cannot be read."""
    try:
        theirs = [c for c in kind.__mro__ if not c.__module__.startswith(("torch.", "builtins"))]
        return ast.parse("\n".join(textwrap.dedent(inspect.getsource(c)) for c in theirs))
    except (OSError, TypeError, SyntaxError):
        return None


def _is_self(node: ast.AST, attribute: str) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr == attribute
        and isinstance(node.value, ast.Name)
        and node.value.id in ("self", "module")
    )


def _reads_but_never_calls(kind: type, attribute: str) -> bool:
    tree = _tree(kind)
    if tree is None:
        return False
    nodes = list(ast.walk(tree))
    called = any(isinstance(n, ast.Call) and _is_self(n.func, attribute) for n in nodes)
    reads_p = any(isinstance(n, ast.Attribute) and n.attr == "p" and _is_self(n.value, attribute) for n in nodes)
    return reads_p and not called


def _calls_functional_dropout(kind: type) -> bool:
    tree = _tree(kind)
    return tree is not None and any(
        isinstance(n, ast.Call)
        and isinstance(n.func, ast.Attribute)
        and n.func.attr == "dropout"
        and not _is_self(n.func, "dropout")
        for n in ast.walk(tree)
    )
