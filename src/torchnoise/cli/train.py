"""`torchnoise train`: a plan file and data in, a trained model and its history out."""

from __future__ import annotations

import hashlib
import json
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.utils.data import DataLoader

from ..lab.nets import NETS, net_for
from ..lab.sets import Sets, load_sets
from ..plan import Plan
from ..plans import PlanError, part
from ..training import History, Interrupted, fit
from ..training.batches import logits_of
from ..training.losses import default_loss
from . import say
from .find_model import find_model
from .probe import evaluating, probe
from .sites import matching

# wanted later: better missed before anything is trained
_WANTED = ("accelerate", "matplotlib", "rich", "safetensors", "sklearn")
# what fit says of its arguments -> of the command's flags
_FLAGS = {
    "choose another folder, or begin again by resume=False": "choose another --out, or remove the folder",
    "remove the folder, or begin again by resume=False": "remove the folder, or choose another --out",
}


class Wishes(NamedTuple):
    """The command's flags."""

    plan: Path
    data: str
    target: str | None
    model: str
    epochs: int
    lr: float
    batch_size: int
    seed: int | None
    out: Path
    how: dict[str, Any]  # further arguments of fit
    quiet: bool


def run_train(wishes: Wishes) -> int:
    """The command's work; returns the exit status."""
    for module in _WANTED:
        if find_spec(module) is None:
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)
    try:
        file = part("read").read_file(wishes.plan)
        seed = (file.seed or 0) if wishes.seed is None else wishes.seed
        for flag, value in (("--batch-size", wishes.batch_size), ("--epochs", wishes.epochs)):
            if value < 1:
                raise ValueError(f"{flag} is {value}, allowed: a whole number from 1")
        sets = load_sets(wishes.data, wishes.target, seed)
        _show_data(sets, wishes)
        model = _model(wishes.model, sets, seed)
        _, problems = matching(model, file.plan, file.lines)
        if problems:
            raise PlanError(str(wishes.plan), problems)
        _same_data(sets, wishes.out)
        history = _train(model, file.plan, sets, seed, wishes)
        _finish(model, history, sets, wishes)
    except PlanError as error:
        for line in error.lines:
            say(line)
        return 2
    except Interrupted as stopped:
        say(f"interrupted in epoch {len(stopped.history) + 1}; the same command goes on from there")
        return 130
    except OSError as error:
        say(f"{error.filename or wishes.out}: {error.strerror or error}")
        return 2
    except (LookupError, TypeError, ValueError) as error:
        text = str(error)
        for python, flag in _FLAGS.items():
            text = text.replace(python, flag)
        say(text)
        return 2
    except FloatingPointError as error:
        say(str(error))
        return 1
    return 0


def _show_data(sets: Sets, wishes: Wishes) -> None:
    """How the data were read, and what is doubtful about it; the first process does, of several."""
    if not _first():
        return
    for doubt in sets.doubts:
        say(doubt)
    if not wishes.quiet:
        print(sets.described() if sets.said else f"{wishes.data}: {sets.described()}", flush=True)


def _model(name: str, sets: Sets, seed: int) -> nn.Module:
    if name in NETS:
        return net_for(name, sets.shape, sets.outputs, seed)
    if ":" not in name:
        raise ValueError(f"--model {name}, allowed: {', '.join(NETS)}, or package.module:function, which gives a model")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            model = find_model(name, purpose=f" for inputs of shape {sets.shape} and {sets.wanted}")
            probe(model, sets)
        except (LookupError, ValueError) as error:
            raise ValueError(f"--model {error if isinstance(error, LookupError) else f'{name}: {error}'}") from error
        return model


def _same_data(sets: Sets, out: Path) -> None:
    """Refuse to go on with other data than those that the folder's run began with."""
    digest = hashlib.sha256()
    for data in (sets.train, sets.validation, sets.test):
        for tensor in data.tensors:
            digest.update(repr((tensor.dtype, tensor.shape)).encode() + tensor.numpy().tobytes())
    out.mkdir(parents=True, exist_ok=True)
    note = out / "data.sha256"
    begun = (out / "history.json").exists() or any(out.glob("checkpoint/checkpoint-*"))
    if begun and note.exists() and note.read_text("utf-8").strip() != digest.hexdigest():
        raise ValueError(f"{out} has a run on other data (or another seed's split); choose another --out")
    if _first():
        _whole(note, lambda path: path.write_text(digest.hexdigest() + "\n", "utf-8"))


def _train(model: nn.Module, plan: Plan, sets: Sets, seed: int, wishes: Wishes) -> History:
    return fit(
        model,
        DataLoader(sets.train, batch_size=wishes.batch_size, shuffle=True),
        DataLoader(sets.validation, batch_size=max(wishes.batch_size, 256)),
        plan=plan,
        epochs=wishes.epochs,
        lr=wishes.lr,
        seed=seed,
        checkpoint=wishes.out / "checkpoint",
        progress=not wishes.quiet,
        **wishes.how,
    )


def score(model: nn.Module, sets: Sets) -> dict[str, float]:
    """The test part's loss and accuracy (for numbers: the root mean squared error in their own unit), without noise."""
    total, right, count = 0.0, 0, 0
    with evaluating(model) as device:
        for x, y in DataLoader(sets.test, batch_size=1024):
            out, y = logits_of(model(x.to(device))), y.to(device)
            total += float(default_loss(out, y)) * len(y)
            right += 0 if sets.classes is None else int((out.argmax(1) == y).sum())
            count += len(y)
    if sets.classes is None:
        return {"loss": total / count, "rmse": sets.std * (total / count) ** 0.5}
    return {"loss": total / count, "acc": right / count}


def _finish(model: nn.Module, history: History, sets: Sets, wishes: Wishes) -> None:
    """Score the best weights on the test part, and write what came out; the first process does, of several."""
    if not _first():
        return
    from safetensors.torch import save_model

    found = score(model, sets)
    _whole(wishes.out / "model.safetensors", lambda path: save_model(model, str(path)))
    text = json.dumps({**history.to_dict(), "test": found, "classes": sets.classes}, indent=1, allow_nan=False)
    _whole(wishes.out / "history.json", lambda path: path.write_text(text + "\n", "utf-8"))
    if len(history):
        _whole(wishes.out / "history.png", history.plot)
    if not wishes.quiet:
        print(history)
        print("test " + ", ".join(f"{name} {value:.4f}" for name, value in found.items()))
    print(wishes.out)


def _first() -> bool:
    """Whether this is the first of several processes, or the only one."""
    return os.environ.get("RANK", "0") == "0"


def _whole(path: Path, write: Any) -> None:
    """A file that is there whole or not at all."""
    writing = path.with_name(f".writing-{path.name}")
    write(writing)
    os.replace(writing, path)
