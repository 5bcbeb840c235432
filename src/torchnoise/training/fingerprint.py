"""Whether a checkpoint is of this run: what has to agree, in plain values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from ..plan import Plan

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def text_of(value: Any) -> str:
    """A value in words that are the same in another process: functions without their addresses."""
    if isinstance(value, torch.Tensor):
        return repr(value.tolist())
    return _ADDRESS.sub("", repr(value))


def name_of(thing: Any) -> str:
    """A class, function or object by the name of what it is."""
    if thing is None or isinstance(thing, str):
        return str(thing)
    named = thing if hasattr(thing, "__qualname__") else type(thing)
    return f"{named.__module__}.{named.__qualname__}"


def fingerprint(
    plan: Plan, seed: int, model: nn.Module, optimizer: torch.optim.Optimizer, others: Mapping[str, Any]
) -> dict[str, str]:
    """What makes a run this run, in words: plan, seed, the model's names and shapes, the optimizer's settings, others.

    The number of epochs is not among them: it may grow.
    """
    found = {"seed": str(seed), "plan": text_of(plan), "optimizer": name_of(optimizer)}
    for i, group in enumerate(optimizer.param_groups):
        for key, value in group.items():
            if key == "params":
                found[f"optimizer group {i}: parameters"] = str(len(value))
            elif key not in ("initial_lr", "lr"):
                found[f"optimizer group {i}: {key}"] = text_of(value)
        found[f"optimizer group {i}: lr"] = text_of(group.get("initial_lr", group["lr"]))
    for name, value in model.state_dict().items():
        if isinstance(value, torch.Tensor):
            found[f"model: {name}"] = f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    return found | {k: text_of(v) for k, v in others.items()}


def difference(mine: Mapping[str, str], theirs: Mapping[str, str]) -> str | None:
    """What differs between two fingerprints, in one line; None where they agree."""
    differing = [k for k in dict.fromkeys((*theirs, *mine)) if mine.get(k) != theirs.get(k)]
    if not differing:
        return None
    said = [f"{k} was {_short(theirs.get(k))}, is {_short(mine.get(k))}" for k in differing[:3]]
    return "; ".join(said) + (f"; and {len(differing) - 3} more" if len(differing) > 3 else "")


def _short(text: str | None) -> str:
    if text is None:
        return "not there"
    return text if len(text) <= 160 else f"{text[:120]}... ({len(text)} characters)"
