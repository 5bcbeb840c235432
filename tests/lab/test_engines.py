"""Engines: every piece of work once, errors told, what is given kept."""

import os
import signal
import time

import pytest

from torchnoise.lab.engines import LocalEngine, engine


def add(given, job):
    return given + job


def whose(given, job):
    return os.getpid()


def fail(given, job):
    raise ArithmeticError(f"number {job}")


def die(given, job):
    os.kill(os.getpid(), signal.SIGKILL)


def threads(given, job):
    import torch

    return torch.get_num_threads()


@pytest.fixture
def two(engine):
    return engine


def test_every_job_once(two):
    two.give("ten", 10)
    assert sorted(two.map(add, "ten", range(7))) == list(range(10, 17))
    assert list(two.map(add, "ten", [])) == []


def test_another_value_takes_its_place(two):
    two.give("number", 1)
    two.give("number", 2)
    assert list(two.map(add, "number", [0])) == [2]


def test_jobs_are_taken_as_they_are_needed(two):
    taken = []

    def jobs():
        for job in range(6):
            taken.append(job)
            yield job

    two.give("ten", 10)
    answers = two.map(add, "ten", jobs())
    next(answers)
    assert len(taken) <= 4
    list(answers)


def test_one_thread_each_in_processes_of_their_own(two):
    two.give("x", None)
    assert set(two.map(threads, "x", range(4))) == {1}
    assert os.getpid() not in set(two.map(whose, "x", range(4)))


def test_errors_are_told_with_their_trace():
    with LocalEngine(1) as one:
        one.give("x", None)
        with pytest.raises(RuntimeError, match="ArithmeticError: number 3"):
            list(one.map(fail, "x", [3]))


def test_a_killed_process_is_told_and_hangs_nothing():
    with LocalEngine(2) as both:
        both.give("x", None)
        began = time.monotonic()
        with pytest.raises(RuntimeError, match="killed"):
            list(both.map(die, "x", range(4)))
        assert time.monotonic() - began < 30


def test_another_engine_is_refused():
    with pytest.raises(ValueError, match="--engine spark, allowed: local, ray"):
        engine("spark", 1)
