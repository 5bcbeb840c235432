"""Finding tensors in the nests of tuples and dicts that models take and return."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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
    elif isinstance(nest, tuple | list):
        for i, value in enumerate(nest):
            yield from tensors(value, f"{path}.{i}" if path else str(i))


def map_paths(nest: Any, change: Callable[[str, Tensor], Tensor], path: str = "") -> Any:
    """The same nest with each tensor replaced by change(path, tensor). Nothing is changed in place."""
    if isinstance(nest, Tensor):
        return change(path, nest)
    if isinstance(nest, PackedSequence):
        raise TypeError(
            "noise cannot enter a PackedSequence, which mixes examples in one axis; put it before packing"
        )
    if isinstance(nest, Mapping):
        new = {k: map_paths(v, change, f"{path}.{k}" if path else str(k)) for k, v in nest.items()}
        if type(nest) is dict or all(new[k] is nest[k] for k in new):
            return nest if all(new[k] is nest[k] for k in new) else new
        return type(nest)(**new) if hasattr(nest, "to_tuple") else type(nest)(new)  # to_tuple: ModelOutput
    if isinstance(nest, tuple | list):
        items = [map_paths(v, change, f"{path}.{i}" if path else str(i)) for i, v in enumerate(nest)]
        if all(a is b for a, b in zip(items, nest, strict=True)):
            return nest
        return type(nest)(*items) if hasattr(nest, "_fields") else type(nest)(items)
    return nest


def change_first(nest: Any, change: Callable[[Tensor], Tensor]) -> tuple[Any, bool]:
    """The nest with its first floating-point tensor changed, and whether there was one."""
    done = False

    def once(path: str, tensor: Tensor) -> Tensor:
        nonlocal done
        if done or not tensor.is_floating_point():
            return tensor
        done = True
        return change(tensor)

    return map_paths(nest, once), done
