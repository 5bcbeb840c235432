"""Machines of a Ray cluster, a piece of work at a time on each processor."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any

from .base import Engine, Work

RETRIES = 10  # of a piece of work whose node or process died; it is the same wherever it is done


def _do(work: Work, given: Any, job: Any) -> Any:
    import torch

    torch.set_num_threads(1)
    return work(given, job)


class RayEngine(Engine):
    """The cluster that RAY_ADDRESS names, or one of this machine alone. Every node needs torchnoise, and the user's own
    modules, in the same versions.

    Raises:
        ValueError: Ray is not installed.
    """

    def __init__(self, processes: int | None = None) -> None:
        try:
            import ray
        except ModuleNotFoundError:
            raise ValueError('--engine ray: Ray is not installed; pip install "torchnoise[ray]"') from None
        self._ray = ray
        self._ours = not ray.is_initialized()
        if self._ours:
            ray.init(log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
        self._asked = processes
        self._given: dict[str, Any] = {}
        self._do = ray.remote(num_cpus=1, max_retries=RETRIES)(_do)

    @property
    def at_a_time(self) -> int:
        return self._asked or max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def give(self, name: str, value: Any) -> None:
        self._given[name] = self._ray.put(value)

    def map(self, work: Work, name: str, jobs: Iterable[Any]) -> Iterator[Any]:
        waiting, under_way = iter(jobs), list[Any]()

        def start() -> bool:
            for job in waiting:
                under_way.append(self._do.remote(work, self._given[name], job))
                return True
            return False

        while len(under_way) < self.at_a_time and start():
            pass
        while under_way:
            (ready, *_), under_way[:] = self._ray.wait(under_way, num_returns=1)
            try:
                answer = self._ray.get(ready)
            except self._ray.exceptions.RayTaskError as error:
                raise RuntimeError(f"a run failed:\n{error}") from None
            except self._ray.exceptions.RayError as error:
                raise RuntimeError(f"{type(error).__name__}: {error}; the same command goes on from here") from None
            start()
            yield answer

    def close(self) -> None:
        if self._ours and self._ray.is_initialized():
            self._ray.shutdown()
