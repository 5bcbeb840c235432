"""Runs over processes, one thread each. Results do not depend on how many there are.

Each worker has a pipe of its own, whose other end only the parent holds: when the parent dies, however roughly, its
workers read the end of the pipe and leave.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch

from .data import Data
from .run import train
from .settings import Run, Settings
from .store import Record, save_weights


class Job(NamedTuple):
    """One run, its key, and where its weights go."""

    run: Run
    key: str
    weights: Path


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def do(job: Job, data: Data, settings: Settings) -> Record:
    """One run, with its weights on disk."""
    model, outcome = train(job.run, data, settings)
    save_weights(model, job.weights)
    return Record(job.key, job.run, outcome)


def _work(pipe: Connection, data: Data, settings: Settings) -> None:
    torch.set_num_threads(1)
    while True:
        try:
            job = pipe.recv()
            try:
                answer: Any = do(job, data, settings)
            except Exception:  # every error of a worker is the parent's to tell
                answer = traceback.format_exc()
            pipe.send(answer)
        except (EOFError, OSError):
            return  # the parent is gone


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


def run_all(jobs: Sequence[Job], data: Data, settings: Settings, processes: int) -> Iterator[Record]:
    """Do every job, and yield records as they come.

    Raises:
        RuntimeError: a run failed (with its traceback), or a worker was killed.
    """
    if not isinstance(data, Data):
        raise TypeError(f"run_all: data is {type(data).__name__}, allowed: Data, which has no test set")
    waiting = deque(jobs)
    context = multiprocessing.get_context("spawn")
    workers: dict[Connection, BaseProcess] = {}
    try:
        with _interrupts_ignored():
            for _ in range(min(processes, len(waiting))):
                ours, theirs = context.Pipe()
                worker = context.Process(target=_work, args=(theirs, data, settings), daemon=True)
                worker.start()
                theirs.close()
                workers[ours] = worker
        for pipe in workers:
            pipe.send(waiting.popleft())
        busy = set(workers)
        while busy:
            for pipe in cast(list[Connection], wait(busy)):
                answer = _answer(pipe)
                if waiting:
                    pipe.send(waiting.popleft())
                else:
                    busy.discard(pipe)
                yield answer
    finally:
        for pipe, process in workers.items():
            process.terminate()
            process.join()
            pipe.close()


def _answer(pipe: Connection) -> Record:
    try:
        answer = pipe.recv()
    except (EOFError, OSError):
        raise RuntimeError("a worker process was killed (out of memory?); the same command goes on from here") from None
    if isinstance(answer, str):
        raise RuntimeError(f"a run failed:\n{answer}")
    return answer
