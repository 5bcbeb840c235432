"""Checkpoints: folders that are there whole or not at all, checked before they are believed, without pickle.

checkpoint-00000007/tensors.safetensors   weights, moments, random states
checkpoint-00000007/state.json            all the rest
checkpoint-00000007/SHA256SUMS            of both; `sha256sum -c SHA256SUMS` checks it by hand
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import warnings
from pathlib import Path
from typing import Any

from .states import pack, unpack

KEEP = 2  # the newest, and one to go back to where that is damaged
_TENSORS, _STATE, _SUMS = "tensors.safetensors", "state.json", "SHA256SUMS"
_NAME = re.compile(r"checkpoint-(\d{8})")
_UNFINISHED = re.compile(r"\.(writing|leaving)-checkpoint-\d{8}")


def numbered(folder: Path) -> dict[int, Path]:
    """The checkpoints in a folder by number, the newest last."""
    if not folder.is_dir():
        return {}
    found = {int(m[1]): p for p in folder.iterdir() if (m := _NAME.fullmatch(p.name))}
    return dict(sorted(found.items()))


def save(folder: Path, state: Any) -> Path:
    """Write the next checkpoint. Killed at any moment, the folder holds what it held, or that and this one whole."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    number = max(numbered(folder), default=0) + 1
    target = folder / f"checkpoint-{number:08d}"
    writing = folder / f".writing-{target.name}"
    if writing.exists():
        shutil.rmtree(writing)
    writing.mkdir()
    tree, tensors = pack(state)
    save_file(tensors, writing / _TENSORS)
    (writing / _STATE).write_text(json.dumps(tree, allow_nan=False, indent=1), "utf-8")
    sums = "".join(f"{_sum(writing / name)}  {name}\n" for name in (_TENSORS, _STATE))
    (writing / _SUMS).write_text(sums, "utf-8")
    for name in (_TENSORS, _STATE, _SUMS):
        _sync(writing / name)
    _sync(writing)
    os.rename(writing, target)
    _sync(folder)
    for old in list(numbered(folder).values())[:-KEEP]:
        _remove(old)
    return target


def load(folder: Path) -> tuple[Any, Path] | None:
    """The newest checkpoint that is whole; None where the folder has none. A damaged one is warned about.

    Raises:
        ValueError: every checkpoint is damaged.
    """
    from safetensors.torch import load_file

    found = numbered(folder)
    for path in reversed(found.values()):
        problem = damage(path)
        if problem is None:
            return unpack(json.loads((path / _STATE).read_text("utf-8")), load_file(path / _TENSORS)), path
        warnings.warn(f"{path}: {problem}; the checkpoint before it is used", UserWarning, stacklevel=2)
    if found:
        raise ValueError(f"{folder}: every checkpoint is damaged; remove the folder, or begin again by resume=False")
    return None


def damage(path: Path) -> str | None:
    """What is wrong with a checkpoint, None where it is whole."""
    try:
        said = (path / _SUMS).read_text("utf-8").splitlines()
        for name in (_TENSORS, _STATE):
            if f"{_sum(path / name)}  {name}" not in said:
                return f"{name} does not have the sum that was written down"
    except (OSError, ValueError) as problem:
        return f"damaged ({problem})"
    return None


def forget_after(path: Path) -> None:
    """Remove the checkpoints after this one, which are damaged: they would be kept in the place of good ones."""
    for later in numbered(path.parent).values():
        if later.name > path.name:
            _remove(later)


def tidy(folder: Path, everything: bool = False) -> None:
    """Take away what a killed run left unfinished, and on request all checkpoints."""
    if not folder.is_dir():
        return
    for path in list(folder.iterdir()):
        if _UNFINISHED.fullmatch(path.name):
            shutil.rmtree(path)
        elif everything and _NAME.fullmatch(path.name):
            _remove(path)


def _remove(path: Path) -> None:
    # renamed first: what is half removed shall not look like a checkpoint
    leaving = path.with_name(f".leaving-{path.name}")
    os.rename(path, leaving)
    shutil.rmtree(leaving)


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    """Have the disk keep a file or a folder before anything else is written."""
    if path.is_dir() and os.name == "nt":
        return  # Windows does not open folders
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
