"""A plan as Python, in the short form that a person would write, which evaluates to an equal plan."""

from __future__ import annotations

import re
from functools import singledispatch
from numbers import Integral, Real
from typing import Any, NamedTuple

from torch import nn

import torchnoise

from ..plan import Injection, Plan
from ..sites.select import TypeName
from ..sources.tokens.vocabulary import Frequencies
from .kinds import fields_of, parts, role_of

LONGEST = 120  # characters of a line that still shows a plan
BY_NAME = ("schedule",)  # roles whose arguments all read better with their names: warm_up(steps=500)


class Code(NamedTuple):
    """A plan as an expression, and the modules that it needs besides `torchnoise as tn`, such as "torch"."""

    text: str
    modules: tuple[str, ...]


def code_of(plan: Plan) -> str:
    """The plan as one Python expression, with `torchnoise` known as `tn`; `written` says what else it needs.

    Raises:
        ValueError: an injection with a function, or with a class that has no importable name.

    >>> from torchnoise import Activations, Gaussian
    >>> code_of(Plan(Injection(Gaussian(0.15, relative_to="rms"), at=Activations(nn.ReLU))))
    'tn.Plan(tn.Injection(tn.Gaussian(0.15, relative_to="rms"), at=tn.Activations(torch.nn.ReLU)))'
    """
    return written(plan).text


def written(plan: Plan) -> Code:
    """The plan as an expression with the modules that it needs. Raises as `code_of` does."""
    modules: set[str] = set()
    text = ", ".join(_call(one, f"injections[{i}]", modules) for i, one in enumerate(plan))
    return Code(f"tn.Plan({text})", tuple(sorted(modules)))


def training_lines(plan: Plan, file: str = "plan.yaml") -> list[str]:
    """Four lines of Python that put a plan into a training script: import, plan, attach, train.

    file: where the plan is loaded from, if it is too long for a line or no code can hold it.

    >>> from torchnoise import Gaussian, Inputs
    >>> print(*training_lines(Plan(Injection(Gaussian(0.15), at=Inputs()))), sep="\\n")
    import torchnoise as tn
    plan = tn.Plan(tn.Injection(tn.Gaussian(0.15), at=tn.Inputs()))
    with tn.attach(model, plan, seed=0, optimizer=optimizer):
        train(model, optimizer)  # your training loop, as it is
    """
    load = Code(f'tn.Plan.load("{file}")', ())
    try:
        code = written(plan)
    except ValueError:
        code = load
    line = f"plan = {code.text}"
    if len(line) > LONGEST:
        code, line = load, f"plan = {load.text}"
    return [
        f"import {', '.join((*code.modules, 'torchnoise as tn'))}",
        line,
        "with tn.attach(model, plan, seed=0, optimizer=optimizer):",
        "    train(model, optimizer)  # your training loop, as it is",
    ]


# -- values as expressions; each adds the modules that it needs --------------------------------------------------------


@singledispatch
def expression(value: Any, path: str, modules: set[str]) -> str:
    """A value as an expression."""
    if isinstance(value, Injection) or role_of(type(value)) is not None:
        return _call(value, path, modules)
    if callable(value):
        raise ValueError(f"{path}: a function, which cannot be written as an expression; keep this plan as it is")
    raise ValueError(f"{path}: {type(value).__name__} is none of torchnoise's kinds; keep this plan as it is")


@expression.register(type(None))
@expression.register(bool)
def _(value: Any, path: str, modules: set[str]) -> str:
    return repr(value)


@expression.register
def _(value: str, path: str, modules: set[str]) -> str:
    text = repr(value)
    return f'"{text[1:-1]}"' if text[0] == "'" and '"' not in text and "\\'" not in text else text


@expression.register
def _(value: Integral, path: str, modules: set[str]) -> str:
    return repr(int(value))


@expression.register
def _(value: Real, path: str, modules: set[str]) -> str:
    return repr(float(value))


@expression.register(tuple)
@expression.register(list)
def _(value: Any, path: str, modules: set[str]) -> str:
    items = [expression(item, f"{path}[{i}]", modules) for i, item in enumerate(value)]
    if isinstance(value, list):
        return f"[{', '.join(items)}]"
    return f"({', '.join(items)}{',' if len(items) == 1 else ''})"


@expression.register
def _(value: Frequencies, path: str, modules: set[str]) -> str:
    return expression(list(value.weights), path, modules)


@expression.register
def _(value: type, path: str, modules: set[str]) -> str:
    return _class(value, path, modules)


@expression.register
def _(value: TypeName, path: str, modules: set[str]) -> str:
    return f'tn.sites.select.TypeName("{value.name}")'


@expression.register
def _(value: re.Pattern, path: str, modules: set[str]) -> str:
    modules.add("re")
    inside = re.compile(value.pattern).flags
    more = value.flags & ~inside
    flags = f", {int(more)}" if more else ""
    return f"re.compile({value.pattern!r}{flags})"


def _call(value: Any, path: str, modules: set[str]) -> str:
    """A value of a kind as the call that makes it, without what it leaves at its defaults."""
    cls: type = type(value)
    rest = next((f.name for f in fields_of(cls) if f.rest), None)
    first = None if role_of(cls) in BY_NAME else fields_of(cls)[0].name if fields_of(cls) else None
    arguments = []
    for name, part in parts(value).items():
        if name == rest:
            arguments += [expression(item, f"{path}.{name}[{i}]", modules) for i, item in enumerate(part)]
            continue
        text = expression(part, f"{path}.{name}", modules)
        arguments.append(text if name == first and not arguments else f"{name}={text}")
    return f"{_class(cls, path, modules)}({', '.join(arguments)})"


def _class(cls: type, path: str, modules: set[str]) -> str:
    """A class by the name that people know it by."""
    if getattr(torchnoise, cls.__name__, None) is cls:
        return f"tn.{cls.__name__}"
    if getattr(nn, cls.__name__, None) is cls:
        modules.add("torch")
        return f"torch.nn.{cls.__name__}"
    if "<locals>" in cls.__qualname__:
        raise ValueError(f"{path}: {cls.__name__} is defined inside a function, so nothing can import it")
    if cls.__module__ in ("__main__", "builtins"):
        return cls.__qualname__
    modules.add(cls.__module__)
    return f"{cls.__module__}.{cls.__qualname__}"
