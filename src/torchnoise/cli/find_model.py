"""MODEL on a command line: a built-in name, `package.module:function`, a Transformers folder, or a model of the hub."""

from __future__ import annotations

import difflib
import importlib
import inspect
import logging
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..errors import nearest
from ..lab.nets import NETS, net_for
from . import say


def find_model(text: str, task: str | None = None, purpose: str = "") -> nn.Module:
    """The model that `text` names, with weights or without: only names, types and shapes are wanted of it.

    task: the name of the Transformers class to build, where the configuration's own is not the right one.
    purpose: what the model is for, as errors say it.

    Raises:
        LookupError: no such model, or none that can be made; one line.
    """
    if text in NETS:
        return net_for(text, SHAPE, OUTPUTS, seed=0)
    if ":" in text:
        return _from_code(text, purpose)
    return _from_transformers(text, task)


SHAPE, OUTPUTS = (1, 28, 28), 10  # what built-in models are made for here: MNIST's images
KINDS = "a built-in model, package.module:name, a folder with a config.json, or a model on the hub"


def _from_code(text: str, purpose: str) -> nn.Module:
    """What `package.module:name` is, or returns when called without arguments. The current folder is looked in, too."""
    module_name, _, name = text.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module_name)
    except Exception as error:  # the module is the user's: anything can happen in it
        raise LookupError(f"{text}: importing {module_name!r} gave {_one_line(error)}") from error
    for part in name.split("."):
        if not hasattr(found, part):
            near = nearest(part, [n for n in vars(found) if not n.startswith("_")])
            raise LookupError(f"{text}: {module_name!r} has no {part!r}; {near}")
        found = getattr(found, part)
    if not isinstance(found, nn.Module) and callable(found):
        if _needs_arguments(found):
            raise LookupError(f"{text}: takes arguments; allowed: a function without, which returns a model{purpose}")
        try:
            found = found()
        except Exception as error:
            raise LookupError(f"{text}: calling it gave {_one_line(error)}") from error
    if not isinstance(found, nn.Module):
        raise LookupError(f"{text} is {type(found).__name__}, allowed: a torch.nn.Module, or a function that gives one")
    return found


def _needs_arguments(function: Any) -> bool:
    try:
        inspect.signature(function).bind()
    except TypeError:
        return True
    except ValueError:  # what is written in C has no signature; calling it will tell
        pass
    return False


def _from_transformers(text: str, task: str | None) -> nn.Module:
    """A model by its configuration alone, on the meta device: no weights are read, no code of its author is run."""
    folder = Path(text)
    if folder.exists() and not (folder / "config.json").is_file():
        raise LookupError(f"{text} has no config.json, allowed: the folder of a Transformers model")
    near = difflib.get_close_matches(text, NETS, cutoff=0.6)
    if near and not folder.exists():
        raise LookupError(f"{text}: not {KINDS}; did you mean {near[0]!r}?")
    try:
        import transformers
    except ModuleNotFoundError:
        hint = "for the last two, pip install 'torchnoise[transformers]'"
        raise LookupError(f"{text}: not {KINDS}; {nearest(text, NETS)} ({hint})") from None
    if not folder.exists():
        say(f"{text}: asking the hub")
    transformers.logging.set_verbosity_error()
    logging.getLogger("huggingface_hub").setLevel(logging.CRITICAL)  # of each retry; how it ends is said below
    try:
        config = transformers.AutoConfig.from_pretrained(text)
    except Exception as error:  # the hub and the network have many
        raise LookupError(f"{text}: not {KINDS}; {nearest(text, NETS)} ({_one_line(error)})") from error
    name = task or next(iter(getattr(config, "architectures", None) or ()), "AutoModel")
    kind = getattr(transformers, name, None)
    if kind is None and task is not None:
        known = [n for n in dir(transformers) if n.startswith("AutoModel")]
        raise LookupError(f"--task {task}: Transformers has no such class; {nearest(task, known)}")
    kind = kind or transformers.AutoModel
    make = getattr(kind, "_from_config", None) or kind.from_config
    try:
        with torch.device("meta"):
            return make(config)
    except Exception as error:
        raise LookupError(f"{text}: {name} cannot be made of its configuration: {_one_line(error)}") from error


def _one_line(error: BaseException) -> str:
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said[:200]}{'...' if len(said) > 200 else ''}"
