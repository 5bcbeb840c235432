"""An attachment's state as files beside a checkpoint: JSON, and safetensors where there are tensors. No pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from ..training.states import pack, unpack

JSON, TENSORS = "torchnoise.json", "torchnoise.safetensors"


def write(folder: Path, state: Mapping[str, Any]) -> None:
    """Store nested dicts and lists of numbers, text and tensors.

    >>> import tempfile, torch
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(Path(folder), {"step": 3, "measured": {"net.0": torch.ones(2)}})
    ...     read(Path(folder))
    {'step': 3, 'measured': {'net.0': tensor([1., 1.])}}
    """
    tree, tensors = pack(state)
    if tensors:
        from safetensors.torch import save_file

        save_file(tensors, folder / TENSORS)
    (folder / JSON).write_text(json.dumps(tree, allow_nan=False, indent=1), encoding="utf-8")


def read(folder: Path) -> dict[str, Any]:
    """What `write` stored.

    Raises:
        ValueError: a file that is not what `write` made.
    """
    tensors: dict[str, Tensor] = {}
    try:
        if (folder / TENSORS).exists():
            from safetensors.torch import load_file

            tensors = load_file(folder / TENSORS)
        state = unpack(json.loads((folder / JSON).read_text(encoding="utf-8")), tensors)
        if not isinstance(state, dict):
            raise TypeError(f"a {type(state).__name__}")
    except Exception as error:  # safetensors has errors of its own
        raise ValueError(
            f"{folder / JSON}: no state of noise that can be read ({error}); allowed: what was saved there"
        ) from None
    return state
