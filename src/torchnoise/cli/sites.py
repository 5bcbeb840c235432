"""`torchnoise sites`: what plans can name in a model, or what one plan matches there."""

from __future__ import annotations

import inspect
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text
from torch import nn

from ..attach import unwrap
from ..errors import nearest
from ..noise import Noise
from ..plan import Injection, Plan
from ..plans import PlanError, Problem, part
from ..plans.kinds import kinds
from ..runner import Runner
from ..sites.masks import dims_mask
from ..sites.site import Site
from ..sources import Bernoulli, Gaussian
from ..wiring import Wiring
from . import say
from .find_model import find_model

WRONG = (LookupError, TypeError, ValueError, RuntimeError)  # what sites raise for a model that does not fit


class Place(NamedTuple):
    """Where noise enters. site: which kind of it; shape: the tensor's, where it is known before a forward."""

    path: str
    site: str
    shape: tuple[int, ...] | None


def run_sites(model_text: str, plan_path: Path | None, task: str | None) -> int:
    """The command's work; returns the exit status: 0 if all of the plan matches, 1 if not, 2 asked for wrongly."""
    try:
        file = None if plan_path is None else part("read").read_file(plan_path)
        model = unwrap(find_model(model_text, task))
    except LookupError as error:
        say(str(error))
        return 2
    except PlanError as error:
        for line in error.lines:
            say(line)
        return 2
    if file is None:
        show(carrying_table(model))
        return 0
    table, problems = matching(model, file.plan, file.lines)
    if table.row_count:
        show(table)
    sys.stdout.flush()  # so that a pipe, too, has the problems after the table
    for problem in problems:
        say(problem.at(str(plan_path)))
    print(f"{len(file.plan) - len(problems)} of {len(file.plan)} injections match")
    return 1 if problems else 0


def show(table: Table) -> None:
    """On a terminal names are folded to its width; in a pipe every line is as long as it is."""
    Console(highlight=False, width=None if sys.stdout.isatty() else 1000).print(table)


def new_table(*columns: str) -> Table:
    """An empty table in the command's style."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, overflow="fold")
    return table


def places(model: nn.Module, injection: Injection) -> list[Place]:
    """Where an injection enters a model, which stays as it is. Raises what sites raise where nothing matches."""
    wiring = Wiring(Runner(model, Plan(injection), 0, 0, 0), model)
    wiring.install(injection)
    shapes = {name: tuple(p.shape) for name, p in model.named_parameters()}
    return [Place(p.path, p.role.partition("/")[0], shapes.get(p.path)) for p in wiring.points]


# -- without a plan ----------------------------------------------------------------------------------------------------


def carrying_table(model: nn.Module) -> Table:
    """A row for each module and each parameter: what plans can name, and which sites are there."""
    carried: dict[str, list[str]] = defaultdict(list)
    for kind, injection in plainest():
        try:
            found = places(model, injection)
        except WRONG:  # the model has nothing of this kind
            continue
        for place in found:
            carried[place.path].append(kind)
    table = new_table("name", "type", "size", "sites")
    for path, module in model.named_modules():
        sites = [s for s in carried[path] if s != "activations" or _runs(module)]
        count = sum(p.numel() for p in module.parameters())
        size = f"{count:,} parameters" if count else "-"
        table.add_row(_named(path), Text(type(module).__name__), size, ", ".join(sites))
        for name, parameter in module.named_parameters(path, recurse=False):
            table.add_row(Text(name), "", _by(parameter.shape), ", ".join(carried[name]))
    return table


def plainest() -> Iterator[tuple[str, Injection]]:
    """Each kind of site that needs no settings, everywhere in a model, with some noise that it takes."""
    for kind, cls in kinds()["site"].items():
        for arguments in ((), ("**",)):
            for noise in (Gaussian(0.1), Bernoulli(0.1, combine="replace", value=1)):
                injection = _injection(cls, arguments, noise)
                if injection is not None:
                    yield kind, injection
                    break
            else:
                continue
            break


def _injection(cls: type[Site], arguments: tuple[str, ...], noise: Noise) -> Injection | None:
    try:
        return Injection(noise, at=cls(*arguments))
    except (TypeError, ValueError):
        return None


def _runs(module: nn.Module) -> bool:
    """Whether anybody can call it: a ModuleList has no forward."""
    return type(module).forward is not nn.Module.forward


# -- with a plan -------------------------------------------------------------------------------------------------------


def matching(model: nn.Module, plan: Plan, lines: Iterable[int]) -> tuple[Table, list[Problem]]:
    """A row for each place where the plan's noise would enter, and what matches nothing. lines: of the injections."""
    table = new_table("#", "noise", "name", "site", "shape")
    problems = []
    for number, (injection, line) in enumerate(zip(plan, lines, strict=True)):
        try:
            found = places(model, injection)
            _check_arguments(model, injection)
            _check_dims(injection, found)
        except WRONG as error:
            problems.append(Problem(line, f"injections[{number}]: {error}"))
            continue
        for i, place in enumerate(found):
            first = (str(number), str(injection.noise)) if i == 0 else ("", "")
            table.add_row(*map(Text, first), _named(place.path), place.site, _by(place.shape))
    return table, problems


def _check_arguments(model: nn.Module, injection: Injection) -> None:
    """A mask or an input by a name that forward does not have: it could only be inside a dict that forward is given."""
    known = [
        p.name
        for p in inspect.signature(model.forward).parameters.values()
        if p.kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    ]
    mask = (injection.mask,) if isinstance(injection.mask, str) else ()
    for name in (*mask, *getattr(injection.at, "names", ())):
        if known and name.partition(".")[0] not in known:
            raise LookupError(f"the forward of {type(model).__name__} has no argument {name!r}; {nearest(name, known)}")


def _check_dims(injection: Injection, found: Iterable[Place]) -> None:
    """Indices that a parameter does not have."""
    for place in found:
        if injection.dims is not None and place.shape is not None:
            dims_mask(injection.dims, injection.axis, torch.empty(place.shape), place.path)


def _named(path: str) -> Text:
    return Text(path) if path else Text("(the model)", style="dim")


def _by(shape: Iterable[int] | None) -> str:
    return "-" if shape is None else "x".join(map(str, shape)) or "scalar"
