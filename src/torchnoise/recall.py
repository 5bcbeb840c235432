"""Activation checkpointing: which forward, and which call of a module, a recompute is doing again.

A plain counter of calls is wrong in a recompute: it has moved on. So each entry of a watched module is remembered by
the storage of its first tensor, through a weak reference; when the same module is entered with the same storage inside
a backward pass, that moment of that forward is known again. Where it is not, and more than one address is possible,
an error is raised: wrong gradients would be silent.
"""

from __future__ import annotations

import sys
import weakref
from types import FrameType
from typing import NamedTuple, cast

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from .frame import Frame


def in_backward() -> bool:
    """Whether this code runs inside a backward pass of autograd."""
    return torch._C._current_graph_task_id() != -1


def _segment() -> FrameType | None:
    """The Python frame of the recompute around us: one for each recomputed segment; None for foreign checkpointing."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if code.co_name in ("recompute_fn", "backward") and code.co_filename == torch.utils.checkpoint.__file__:
            return frame
        frame = frame.f_back
    return None


def _storage(tensor: Tensor | None) -> StorageWeakRef | None:
    """A weak reference to a tensor's storage; None for tensors without one (sparse, or inside torch.func)."""
    try:
        return None if tensor is None else StorageWeakRef(tensor.untyped_storage())
    except NotImplementedError:
        return None


class _Entry(NamedTuple):
    storage: StorageWeakRef
    frame: weakref.ref[Frame]
    position: int


class Recall:
    """Remembers where forwards entered modules, and finds the place again in a recompute."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, int], list[_Entry]] = {}
        self._frames: weakref.WeakSet[Frame] = weakref.WeakSet()
        self._latest: Frame | None = None
        self._unanchored: list[Frame] = []  # forwards of this step that may be alive without our knowing
        self._segment: FrameType | None = None
        self._replay: Frame | None = None

    def forget(self) -> None:
        """Drop everything: a new step has begun."""
        self._entries.clear()
        self._frames.clear()
        self._unanchored.clear()
        self._latest = None
        self._leave()

    def _leave(self) -> None:
        self._segment = self._replay = None

    def begin(self, frame: Frame) -> None:
        """A new forward has begun."""
        if self._latest is not None and self._latest.may_return:
            self._unanchored.append(self._latest)
        self._latest = frame
        self._frames.add(frame)
        dead = [k for k, found in self._entries.items() if all(e.storage.expired() for e in found)]
        for key in dead:
            del self._entries[key]

    def anchor(self, frame: Frame, tensor: Tensor) -> None:
        """The frame lives on as long as the graph of this tensor, which its forward made."""
        if tensor.grad_fn is not None:
            cast(dict, tensor.grad_fn.metadata).setdefault("torchnoise", []).append(frame.origin)
            frame.origin.may_return = False

    def knows(self, path: str, tensor: Tensor | None) -> bool:
        """Whether this module was entered with this tensor in a forward with noise."""
        return bool(self._matching(path, tensor))

    def _matching(self, path: str, tensor: Tensor | None) -> list[_Entry]:
        storage = _storage(tensor)
        found = [] if storage is None else self._entries.get((path, storage.cdata), [])
        return [e for e in found if not e.storage.expired()]

    def note(self, path: str, tensor: Tensor | None, frame: Frame) -> None:
        """A watched module is entered in a forward (or in a recompute, for checkpoints inside checkpoints)."""
        storage = _storage(tensor)
        if storage is None:
            return
        found = self._entries.setdefault((path, storage.cdata), [])
        found[:] = [e for e in found if e.frame() is not None and not e.storage.expired()]
        entry = _Entry(storage, weakref.ref(frame.origin), len(frame.log))
        if all(e.frame() is not frame.origin or e.position != entry.position for e in found):
            found.append(entry)

    def find(self, path: str, tensor: Tensor | None) -> Frame:
        """The frame for a module that is entered inside a backward pass."""
        segment = _segment()
        if self._replay is None or segment is None or segment is not self._segment:
            self._segment, self._replay = segment, self._guess()
            torch.autograd.Variable._execution_engine.queue_callback(self._leave)
        if self._replay is None or not self._replay.certain:
            known = self._matching(path, tensor)
            alive = [(f, e.position) for e in known if (f := e.frame()) is not None]
            if len(alive) == 1:
                self._replay = alive[0][0].replay(alive[0][1])
            elif known:  # several, or one that is gone: the guess could be another forward
                self._replay = None
        if self._replay is None:
            raise RuntimeError(
                f"{path or 'model'}: its forward runs again inside a backward pass, and it is not known which of the "
                f"{len(self._frames)} waiting forwards this repeats. Let the checkpointed function begin with a module "
                "of the attached model, run backward after each forward, and noise.step() after backward"
            )
        return self._replay

    def _guess(self) -> Frame | None:
        """Before a module is recognised: the only living forward, at an unknown place; None where there are several."""
        living = list(self._frames)
        return living[0].replay(None) if len(living) == 1 else None
