"""Processes of this machine.

Each worker has a pipe of its own, whose other end only the parent holds: when the parent dies, however roughly, its
workers read the end of the pipe and leave.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple, cast

from .base import Engine, Work


class _Given(NamedTuple):
    name: str
    value: Any


class _Job(NamedTuple):
    work: Work
    name: str
    job: Any


class _Failed(NamedTuple):
    trace: str


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def _serve(pipe: Connection) -> None:
    """A worker: take what is given, do jobs, until the parent is gone."""
    import torch

    torch.set_num_threads(1)
    given: dict[str, Any] = {}
    while True:
        try:
            message = pickle.loads(pipe.recv_bytes())
            if isinstance(message, _Given):
                given[message.name] = message.value
                continue
            try:
                answer: Any = message.work(given[message.name], message.job)
            except Exception:  # every error of a worker is the parent's to tell
                answer = _Failed(traceback.format_exc())
            pipe.send_bytes(_packed(answer))
        except (EOFError, OSError):
            return  # the parent is gone


def _packed(value: Any) -> bytes:
    """Plain bytes: multiprocessing's own way would hand tensors over through shared memory, file by file."""
    return pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Ctrl-C reaches every process of a terminal. Children born in here leave it to the parent."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class LocalEngine(Engine):
    """As many processes as it is told; they start at once, and load their libraries while the parent reads data."""

    def __init__(self, processes: int) -> None:
        self._workers: dict[Connection, BaseProcess] = {}
        context = multiprocessing.get_context("spawn")
        with _interrupts_ignored():
            for _ in range(processes):
                ours, theirs = context.Pipe()
                worker = context.Process(target=_serve, args=(theirs,), daemon=True)
                worker.start()
                theirs.close()
                self._workers[ours] = worker

    @property
    def at_a_time(self) -> int:
        return len(self._workers)

    def give(self, name: str, value: Any) -> None:
        message = _packed(_Given(name, value))
        for pipe in self._workers:
            _send(pipe, message)

    def map(self, work: Work, name: str, jobs: Iterable[Any]) -> Iterator[Any]:
        waiting, busy = iter(jobs), set[Connection]()

        def send(pipe: Connection) -> None:
            for job in waiting:
                _send(pipe, _packed(_Job(work, name, job)))
                busy.add(pipe)
                return

        for pipe in self._workers:
            send(pipe)
        while busy:
            for pipe in cast(list[Connection], wait(busy)):
                answer = _answer(pipe)
                busy.discard(pipe)
                send(pipe)
                yield answer

    def close(self) -> None:
        for pipe, process in self._workers.items():
            process.terminate()
            process.join()
            pipe.close()
        self._workers.clear()


_KILLED = "a worker process was killed (out of memory?); the same command goes on from here"


def _send(pipe: Connection, message: bytes) -> None:
    try:
        pipe.send_bytes(message)
    except OSError:
        raise RuntimeError(_KILLED) from None


def _answer(pipe: Connection) -> Any:
    try:
        answer = pickle.loads(pipe.recv_bytes())
    except (EOFError, OSError):
        raise RuntimeError(_KILLED) from None
    if isinstance(answer, _Failed):
        raise RuntimeError(f"a run failed:\n{answer.trace}")
    return answer
