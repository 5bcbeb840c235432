"""How a comparison tells what it does."""

from __future__ import annotations

from .entrants import Entrants
from .run import Bench
from .settings import Settings
from .store import Record


class Watcher:
    """Is told how a comparison gets on. This one says nothing; a subclass shows it."""

    def prepared(self, settings: Settings, bench: Bench, entrants: Entrants) -> None:
        """What was read and built."""

    def expecting(self, settings: Settings, entrants: Entrants) -> None:
        """What will be trained, now that a budget is fitted."""

    def finished(self, record: Record, before: bool) -> None:
        """One more run, trained now or (before) kept from an earlier start."""

    def phase(self, text: str, count: int | None = None) -> None:
        """What is done next; count: of how many pieces."""

    def step(self) -> None:
        """One more piece."""
