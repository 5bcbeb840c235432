"""Finding tensors in the nests of tuples and dicts that models take and return."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence


def tensors(nest: Any, path: str = "") -> Iterator[tuple[str, Tensor]]:
    """(path, tensor) for every tensor in nested tuples, lists and mappings; paths are dotted keys and positions."""
    if isinstance(nest, Tensor):
        yield path, nest
    elif isinstance(nest, Mapping):
        for key, value in nest.items():
            yield from tensors(value, f"{path}.{key}" if path else str(key))
    elif is_dataclass(nest) and not isinstance(nest, type):
        for each in fields(nest):
            yield from tensors(getattr(nest, each.name), f"{path}.{each.name}" if path else each.name)
    elif isinstance(nest, tuple | list):
        for i, value in enumerate(nest):
            yield from tensors(value, f"{path}.{i}" if path else str(i))


Change = Callable[[str, Tensor], Tensor | None]


def rebuild(nest: Any, change: Change, path: str = "") -> tuple[Any, bool]:
    """The nest with tensors replaced by change(path, tensor), where that is not None; and whether any was.

    What holds no changed tensor is passed on as it is, the same object; the rest is made anew, never written to.
    """
    if isinstance(nest, Tensor):
        new = change(path, nest)
        return (nest, False) if new is None else (new, True)
    if isinstance(nest, PackedSequence):
        raise TypeError("noise cannot enter a PackedSequence, which mixes examples in one axis; put it before packing")
    if isinstance(nest, Mapping):
        parts = {k: rebuild(v, change, f"{path}.{k}" if path else str(k)) for k, v in nest.items()}
        if not any(changed for _, changed in parts.values()):
            return nest, False
        new_parts = {k: v for k, (v, _) in parts.items()}
        if type(nest) is dict:
            return new_parts, True
        # Transformers' ModelOutput has to_tuple, and takes its fields by name
        return (type(nest)(**new_parts) if hasattr(nest, "to_tuple") else type(nest)(new_parts)), True  # type: ignore[call-arg]
    if isinstance(nest, tuple | list):
        items = [rebuild(v, change, f"{path}.{i}" if path else str(i)) for i, v in enumerate(nest)]
        if not any(changed for _, changed in items):
            return nest, False
        values = [v for v, _ in items]
        return (type(nest)(*values) if hasattr(nest, "_fields") else type(nest)(values)), True
    return nest, False


def change_first(nest: Any, change: Callable[[Tensor], Tensor]) -> tuple[Any, bool]:
    """The nest with its first floating-point tensor changed, and whether there was one."""
    done = False

    def once(path: str, tensor: Tensor) -> Tensor | None:
        nonlocal done
        if done or not tensor.is_floating_point():
            return None
        done = True
        return change(tensor)

    return rebuild(nest, once)
