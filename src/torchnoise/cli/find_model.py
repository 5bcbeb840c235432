"""MODEL on a command line: a built-in name, `package.module:function`, a Transformers folder, or a model of the hub."""

from __future__ import annotations

import difflib
import logging
from pathlib import Path

import torch
from torch import nn

from ..errors import nearest
from ..lab.models.nets import NETS, net_for
from ..lab.user_code import look_up, model_from, one_line
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
        return model_from(look_up(text), text, purpose)
    return _from_transformers(text, task)


SHAPE, OUTPUTS = (1, 28, 28), 10  # what built-in models are made for here: MNIST's images
KINDS = "a built-in model, package.module:name, a folder with a config.json, or a model on the hub"


def _from_transformers(text: str, task: str | None) -> nn.Module:
    """A model by its configuration alone, on the meta device: no weights are read, no code of its author is run."""
    folder = Path(text)
    if folder.exists() and not (folder / "config.json").is_file():
        raise LookupError(f"{text} has no config.json, allowed: the folder of a Transformers model")
    near = difflib.get_close_matches(text, NETS, cutoff=0.6)
    if near and "/" not in text and not folder.exists():
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
        raise LookupError(f"{text}: not {KINDS}; {nearest(text, NETS)} ({one_line(error)})") from error
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
        raise LookupError(f"{text}: {name} cannot be made of its configuration: {one_line(error)}") from error
