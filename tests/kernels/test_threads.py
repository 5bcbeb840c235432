"""Whoever calls and however many threads work: the same bits."""

from __future__ import annotations

import ctypes
import multiprocessing
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from cases import same
from draws import Call, at, call, fast, fresh_processes, in_fresh_process, kernels_only, slow
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

import torchnoise as tn
from torchnoise.inject import inject
from torchnoise.perturb import perturb


@pytest.fixture
def threads() -> Iterator[None]:
    """torch's number of threads is put back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


SHAPES = [((90_001,), None), ((7, 12_009), 0), ((1031, 65), 1)]


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(("shape", "axis"), SHAPES, ids=str)
def test_any_number_of_threads(shape: tuple[int, ...], axis: int | None) -> None:
    """1, 2 and 3 threads. Broken on purpose: a piece's place in its tensor counted from its thread's first piece."""
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    keep = x > -1
    one = call(x, tn.Gaussian(0.3), batch_axis=axis, keep=keep)
    wanted = slow(one)
    for count in (1, 2, 3):
        torch.set_num_threads(count)
        assert same(fast(one), wanted)


def test_six_python_threads_at_once() -> None:
    """Each with noise of its own, 40 times, large enough for torch's threads and not."""
    calls = []
    for i in range(6):
        shape = (3, 20_003) if i % 2 else (5, 37)
        calls.append(call(torch.full(shape, float(i)), tn.Gaussian(0.3), at(shape[0], (i, 6), i)))
    wanted = [slow(one) for one in calls]
    together = threading.Barrier(6)

    def work(i: int) -> bool:
        together.wait(timeout=60)
        return all(same(perturb(*calls[i]), wanted[i]) for _ in range(40))

    with kernels_only(), ThreadPoolExecutor(6) as pool:
        assert list(pool.map(work, range(6))) == [True] * 6


def first_calls_at_once() -> tuple[list[bool], int]:
    """In a fresh process: six threads whose first calls ask for the same pieces. Also how many were compiled."""
    from torchnoise.kernels import compile

    together = threading.Barrier(6)
    calls = [call(torch.ones(3, 41), tn.Uniform(0.3), at(3, (i, 6))) for i in range(6)]
    wanted = [slow(one) for one in calls]

    def work(i: int) -> bool:
        together.wait(timeout=60)
        return same(perturb(*calls[i]), wanted[i])

    counted = patch.object(compile, "to_object_code", wraps=compile.to_object_code)
    with kernels_only(), counted as compiled, ThreadPoolExecutor(6) as pool:
        return list(pool.map(work, range(6))), compiled.call_count


def test_first_calls_at_once(tmp_path: Path) -> None:
    """Compiling is done once and waited for. Broken on purpose: in kernels/pieces.py, no lock."""
    equal, compiled = in_fresh_process(first_calls_at_once, TORCHNOISE_CACHE=str(tmp_path))
    assert equal == [True] * 6
    assert compiled == 3  # a walk, a fill, a combine


class Noisy(Dataset):
    """Items with noise, drawn in whichever process loads them."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Tensor:
        return fast(item(index))


def item(index: int) -> Call:
    """What the loader's item `index` is made of: larger than what one thread would take."""
    return call(torch.full((2, 20_003), 0.5), tn.Gaussian(0.3), at(2, (5, index)))


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", [m for m in ("fork", "spawn") if m in multiprocessing.get_all_start_methods()])
def test_inside_loader_workers(method: str) -> None:
    """Workers forked after the kernels have run here, with threads, and workers that begin anew.

    Broken on purpose: a thread pool of our own, whose threads a forked child lacks.
    """
    assert same(fast(item(0)), slow(item(0)))
    loader = DataLoader(Noisy(), batch_size=2, num_workers=2 if method == "fork" else 1, multiprocessing_context=method)
    found = torch.cat(list(loader))
    assert same(found, torch.stack([slow(item(i)) for i in range(4)]))


def in_a_parallel_region() -> list[bool]:
    """Noise drawn inside torch's own parallel loop, of which it hands us the inside as a function of C."""
    name = {"win32": "torch_cpu.dll", "darwin": "libtorch_cpu.dylib"}.get(sys.platform, "libtorch_cpu.so")
    parallel_for = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / name)).torch_parallel_for
    loop = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p)
    parallel_for.argtypes = [ctypes.c_int64] * 3 + [loop, ctypes.c_void_p]
    parallel_for.restype = ctypes.c_int32

    calls = [item(i) for i in range(4)]
    wanted = [slow(one) for one in calls]
    fast(calls[0])
    found: list[bool] = [False] * 4

    @loop
    def inside(begin: int, end: int, _: object) -> None:
        for i in range(begin, end):
            found[i] = same(perturb(*calls[i]), wanted[i])

    torch.set_num_threads(2)
    with kernels_only():
        assert parallel_for(0, 4, 1, inside, None) == 0
    return found


def test_inside_torchs_own_parallel_loop() -> None:
    """Nested loops run serially and do not wait for each other; in a process of its own, since a mistake would hang."""
    with fresh_processes() as pool:
        assert pool.submit(in_a_parallel_region).result(timeout=60) == [True] * 4


def test_backward_in_autograds_threads() -> None:
    """The gradient of multiplicative noise is its factor, whichever thread asks for it."""
    x = torch.ones(4, 9, requires_grad=True)
    one = call(x, tn.Gaussian(0.3, combine="multiply"))
    out = inject(*one)
    worker = threading.Thread(target=lambda: out.sum().backward())
    worker.start()
    worker.join()
    assert x.grad is not None
    assert same(x.grad, out.detach())
