"""Nested state as JSON and named tensors, and back to the last bit: no pickle, so a file from outside runs no code."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

_TAG = "!"  # a JSON object with this key stands for something that JSON does not have


def pack(value: Any) -> tuple[Any, dict[str, Tensor]]:
    """Values that JSON holds, and the tensors that they name, on the CPU.

    Raises:
        TypeError: a value of another kind than None, bool, int, float, str, list, tuple, dict, tensor or array.

    >>> tree, tensors = pack({"step": 3, "state": {0: (torch.ones(2), float("nan"))}})
    >>> list(tensors), unpack(tree, tensors)["step"]
    (['state.0.0'], 3)
    """
    tensors: dict[str, Tensor] = {}
    return _pack(value, "", tensors, {}), tensors


def _pack(value: Any, path: str, tensors: dict[str, Tensor], known: dict[tuple, str]) -> Any:
    below = f"{path}." if path else ""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Tensor):
        return {_TAG: "tensor", "name": _keep(value.detach(), path, tensors, known)}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {_TAG: "float", "value": str(float(value))}
    if isinstance(value, np.ndarray):
        wide = torch.from_numpy(value.astype(np.int64) if value.dtype.kind in "ui" else value)
        return {_TAG: "array", "name": _keep(wide, path, tensors, known), "dtype": value.dtype.str}
    if isinstance(value, list | tuple):
        items = [_pack(v, f"{below}{i}", tensors, known) for i, v in enumerate(value)]
        return items if isinstance(value, list) else {_TAG: "tuple", "items": items}
    if isinstance(value, Mapping):
        if all(isinstance(k, str) for k in value) and _TAG not in value:
            return {k: _pack(v, f"{below}{k}", tensors, known) for k, v in value.items()}
        pairs = [
            [_pack(k, f"{below}key", tensors, known), _pack(v, f"{below}{k}", tensors, known)] for k, v in value.items()
        ]
        return {_TAG: "counter" if isinstance(value, Counter) else "dict", "items": pairs}
    raise TypeError(
        f"checkpoint: {path} is {type(value).__name__}, allowed: None, bool, int, float, str, list, tuple, dict, tensor"
    )


def _keep(tensor: Tensor, path: str, tensors: dict[str, Tensor], known: dict[tuple, str]) -> str:
    """The name under which a tensor is kept; tied weights are kept once."""
    same = (tensor.data_ptr(), tuple(tensor.shape), tensor.stride(), tensor.dtype, tensor.device)
    if tensor.numel() and same in known:
        return known[same]
    name = path or "value"
    while name in tensors:
        name += "_"
    known[same] = name
    tensors[name] = tensor.to("cpu", copy=True).contiguous()
    return name


def unpack(tree: Any, tensors: Mapping[str, Tensor]) -> Any:
    """What was packed."""
    if isinstance(tree, list):
        return [unpack(v, tensors) for v in tree]
    if not isinstance(tree, dict):
        return tree
    return _KINDS[tree[_TAG]](tree, tensors) if _TAG in tree else {k: unpack(v, tensors) for k, v in tree.items()}


def _pairs(tree: dict, tensors: Mapping[str, Tensor]) -> dict[Any, Any]:
    return {unpack(k, tensors): unpack(v, tensors) for k, v in tree["items"]}


_KINDS: dict[str, Any] = {
    "tensor": lambda tree, tensors: tensors[tree["name"]].clone(),
    "array": lambda tree, tensors: tensors[tree["name"]].numpy().astype(tree["dtype"]),
    "float": lambda tree, tensors: float(tree["value"]),
    "tuple": lambda tree, tensors: tuple(unpack(v, tensors) for v in tree["items"]),
    "dict": _pairs,
    "counter": lambda tree, tensors: Counter(_pairs(tree, tensors)),
}
