"""What `package.module:name` names on a command line: code of the user's."""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path
from typing import Any

from torch import nn

from ..errors import nearest
from .seeded import seeded


def look_up(text: str, folder: str | None = None) -> Any:
    """What `package.module:name` is. `folder` is looked in, too: the current one, unless another is given.

    Raises:
        LookupError: no such module or name, or an error in it; one line.
    """
    module_name, _, name = text.partition(":")
    here = folder or str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        with seeded(0):  # what a module draws while it is imported is the same in every process
            found: Any = importlib.import_module(module_name)
    except Exception as error:  # the module is the user's: anything can happen in it
        raise LookupError(f"{text}: importing {module_name!r} gave {one_line(error)}") from error
    for part in name.split("."):
        if not hasattr(found, part):
            near = nearest(part, [n for n in vars(found) if not n.startswith("_")])
            raise LookupError(f"{text}: {module_name!r} has no {part!r}; {near}")
        found = getattr(found, part)
    return found


def model_from(found: Any, text: str, purpose: str = "") -> nn.Module:
    """The model that `found` is, or returns when called without arguments.

    purpose: what the model is for, as errors say it.

    Raises:
        LookupError: it is, or gives, something else; one line.
    """
    if not isinstance(found, nn.Module) and callable(found):
        if needs_arguments(found):
            raise LookupError(f"{text}: takes arguments; allowed: a function without, which returns a model{purpose}")
        try:
            found = found()
        except Exception as error:
            raise LookupError(f"{text}: calling it gave {one_line(error)}") from error
    if not isinstance(found, nn.Module):
        raise LookupError(f"{text} is {type(found).__name__}, allowed: a torch.nn.Module, or a function that gives one")
    return found


def needs_arguments(function: Any) -> bool:
    """Whether it cannot be called without."""
    try:
        inspect.signature(function).bind()
    except TypeError:
        return True
    except ValueError:  # what is written in C has no signature; calling it will tell
        pass
    return False


def one_line(error: BaseException) -> str:
    """An error's kind and its words, cut short."""
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said[:200]}{'...' if len(said) > 200 else ''}"
