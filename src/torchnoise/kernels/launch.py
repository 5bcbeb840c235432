"""Running kernels: tensors become jobs, and torch's own threads walk over them.

`torch_parallel_for` is the entry that torch exports for this (since 2.10): its thread pool, its thread count, serial
inside its own parallel regions, and no second OpenMP. ctypes releases the GIL for the call.
"""

from __future__ import annotations

import ctypes
import os
import sys
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ..oracle import Static, address_stream, compute_dtype
from ..streams.address import Address
from . import jobs, pieces
from .dtypes import WIDTHS
from .rows import rows

GRAIN = 8192  # elements that a thread should have at least
DTYPES = {getattr(torch, name): name for name in WIDTHS}


class Task(NamedTuple):
    """One tensor's noise: its job, how many pieces and elements it has, and the tensors whose memory the job names."""

    job: tuple[int, ...]
    pieces: int
    elements: int
    held: tuple[Tensor | None, ...]


def kernel_for(
    x: Tensor, static: Static, strength: Tensor, address: Address, scale: Tensor | None, keep: Tensor | None
) -> tuple[pieces.Kernel, str] | None:
    """The kernel for these operands, and the combine it runs under; None where only the oracle can.

    Kernels know dense float tensors on the CPU, and the noises that have one.
    """
    if x.dtype not in DTYPES or not x.is_cpu or x.layout is not torch.strided or static.stream is not address_stream:
        return None
    kernel = static.noise.kernel()
    if kernel is None or not strength.is_cpu or not address.key.is_cpu or x.is_neg():
        return None
    combine = kernel.combine if static.combine == static.noise.combine else static.combine
    return (kernel, combine) if _ready(kernel.prepare, kernel.block, combine, x.dtype) else None


@cache
def _ready(prepare: Callable, block: Callable, combine: str, dtype: torch.dtype) -> bool:
    """Whether the pieces of a kernel could be compiled or loaded. Says once why not."""
    if os.environ.get("TORCHNOISE_KERNELS") == "0":
        return False
    try:
        _walk(), _parallel_for(), _fill(prepare, block), _combine(combine, dtype)
    except Exception as error:
        reason = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"
        _say_once(f"torchnoise: no fast kernel here, so the slow form draws the same noise ({reason})")
        return False
    return True


@cache
def _say_once(line: str) -> None:
    warnings.warn(line, RuntimeWarning, stacklevel=2)


@cache
def _fill(prepare: Callable, block: Callable) -> int:
    return pieces.fill(prepare, block)


@cache
def _combine(name: str, dtype: torch.dtype) -> int:
    return pieces.combine(name, DTYPES[dtype])


def task(
    x: Tensor,
    out: Tensor,
    kernel: pieces.Kernel,
    combine: str,
    strength: Tensor,
    address: Address,
    scale: Tensor | None = None,
    keep: Tensor | None = None,
    batch_axis: int | None = None,
    first: int = 0,
) -> Task:
    """The job of writing combine(x, scale * draw) into `out`, which is x itself or does not meet it.

    x, out: of one shape and dtype.  scale, keep (bool): expandable to x.  strength, address: on the CPU.
    """
    key, step, examples = address
    if not examples.is_contiguous():
        examples = examples.contiguous()
    if scale is not None:
        scale = scale.to(compute_dtype(x.dtype))
    shape = x.shape
    strides = [
        x.stride(),
        out.stride(),
        (0,) * len(shape) if keep is None else keep.expand(shape).stride(),
        (0,) * len(shape) if scale is None else scale.expand(shape).stride(),
    ]
    lie = rows(shape, batch_axis, examples.shape[0], tuple(strides))
    # a row that begins inside a block touches one block more
    partial = first % 4 != 0 or (lie.rows > 1 and lie.length % 4 != 0)
    parts = -(-((lie.length + 3) // 4 + partial) // jobs.CHUNK)
    job = (
        _fill(kernel.prepare, kernel.block),
        _combine(combine, x.dtype),
        x.data_ptr(),
        out.data_ptr(),
        0 if keep is None else keep.data_ptr(),
        0 if scale is None else scale.data_ptr(),
        strength.data_ptr(),
        key.data_ptr(),
        step.data_ptr(),
        examples.data_ptr(),
        first,
        jobs.float_bits(kernel.constant),
        x.element_size(),
        0 if scale is None else scale.element_size(),
        lie.rows,
        lie.length,
        parts,
        len(lie.outer),
        *lie.along,
        *lie.example,
        *(slot for axis in lie.outer for slot in axis),
    )
    held = (x, out, keep, scale, strength, key, step, examples)
    return Task(job, lie.examples * lie.rows * parts, x.numel(), held)


def run(*tasks: Task) -> None:
    """Run jobs, all in one call."""
    count = sum(t.pieces for t in tasks)
    plan = jobs.pack([t.job for t in tasks], [t.pieces for t in tasks])
    elements = sum(t.elements for t in tasks)
    if elements <= GRAIN or count == 1:
        _walk()(0, count, plan)
        return
    grain = max(1, GRAIN * count // elements)
    failed = _parallel_for()(0, count, grain, pieces_walk(), plan)
    if failed:
        raise RuntimeError(f"torch_parallel_for: error {failed}")


@cache
def pieces_walk() -> int:
    """The address of the walk."""
    return pieces.walk()


@cache
def _walk() -> Callable[[int, int, bytes], None]:
    return ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64, ctypes.c_char_p)(pieces_walk())


@cache
def _parallel_for() -> Callable[[int, int, int, int, bytes], int]:
    name = {"win32": "torch_cpu.dll", "darwin": "libtorch_cpu.dylib"}.get(sys.platform, "libtorch_cpu.so")
    function = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / name)).torch_parallel_for
    function.argtypes = [ctypes.c_int64] * 3 + [ctypes.c_void_p, ctypes.c_char_p]
    function.restype = ctypes.c_int32
    return function
