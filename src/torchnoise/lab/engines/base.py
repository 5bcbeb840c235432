"""What an engine does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Self

# (what all pieces of work share, a piece of work) -> its answer; a function that other processes can import
Work = Callable[[Any, Any], Any]


class Engine(ABC):
    """Does pieces of work in processes, one thread each. They stay until it is closed, and keep what was given."""

    @property
    @abstractmethod
    def at_a_time(self) -> int:
        """How many pieces of work are done at a time."""

    @abstractmethod
    def give(self, name: str, value: Any) -> None:
        """What all pieces of work share, under a name; sent once to each process. Another value takes its place."""

    @abstractmethod
    def map(self, work: Work, name: str, jobs: Iterable[Any]) -> Iterator[Any]:
        """work(what was given under `name`, job) for every job, answers as they come; jobs are taken one by one.

        Raises:
            RuntimeError: a piece of work failed (with its traceback), or a process was killed.
        """

    @abstractmethod
    def close(self) -> None:
        """End the processes, whatever they do."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
