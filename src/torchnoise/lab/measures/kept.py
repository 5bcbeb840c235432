"""What the graph of a forward keeps for its backward."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor, nn


def kept_bytes(forward: Callable[[], Tensor], net: nn.Module) -> int:
    """The memory that the graph of forward() holds, each storage counted once, the network's own tensors not at all.

    It reads the graph instead of asking autograd by saved_tensors_hooks: beside somebody's hooks noise keeps weights
    that it draws again otherwise. Tensors that a node keeps as attributes count as those that it saves.
    """
    own = {tensor.untyped_storage().data_ptr() for tensor in (*net.parameters(), *net.buffers())}
    loss = forward()  # what holds the graph while it is read: storages are told apart by where they are
    held = {storage.data_ptr(): storage.nbytes() for storage in (t.untyped_storage() for t in _saved(loss.grad_fn))}
    return sum(size for place, size in held.items() if place not in own)


def _saved(root: Any) -> Iterator[Tensor]:
    """Every tensor that a node above keeps."""
    seen, waiting = set(), [root]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        waiting.extend(parent for parent, _ in node.next_functions)
        yield from _inside(tuple(getattr(node, "__dict__", {}).values()))
        for name in dir(node):
            if name.startswith("_raw_saved_"):
                raw = getattr(node, name)
                for saved in raw if isinstance(raw, tuple | list) else (raw,):
                    yield from _inside(getattr(saved, "data", None))  # as it is held, never drawn again


def _inside(thing: object) -> Iterator[Tensor]:
    if isinstance(thing, Tensor):
        yield thing
    elif isinstance(thing, tuple | list):
        for each in thing:
            yield from _inside(each)
