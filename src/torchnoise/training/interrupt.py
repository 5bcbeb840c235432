"""Ctrl-C, taken up at the next step's boundary."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .history import History


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during `fit`. `history` has the finished epochs; with a checkpoint folder, fit goes on from here.

    A KeyboardInterrupt, so that a script does not take a half-trained model for a trained one.
    """

    def __init__(self, history: History, folder: object = None) -> None:
        goes_on = "nothing was kept" if folder is None else f"the same call goes on from {folder}"
        super().__init__(f"fit was interrupted in epoch {len(history) + 1}; {goes_on}")
        self.history = history


class Interrupts:
    """While inside, the first Ctrl-C sets `asked`; the second one interrupts at once.

    Handlers that somebody else set, and threads other than the main one, are left alone.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None

    def __enter__(self) -> Interrupts:
        ours = threading.current_thread() is threading.main_thread()
        if ours and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def _note(self, number: int, frame: Any) -> None:
        if self.asked:
            signal.default_int_handler(number, frame)
        self.asked = True

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
