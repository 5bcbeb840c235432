"""Noise on NVIDIA GPUs: the same scalar functions as on the CPU, compiled by Triton, with the same bits.

What keeps the bits: float operations in the one fixed order, products never fused into sums, roots rounded correctly.
Strength and address are read from the device's memory by the kernel itself, so that nothing waits for the GPU and a
captured CUDA graph draws anew whenever the step in that memory changes.

With TRITON_INTERPRET=1 in the environment, Triton interprets kernels, and tensors on the CPU work too (for tests).
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache, lru_cache
from typing import Any

import torch
from torch import Tensor

from ..oracle import compute_dtype
from ..streams.address import Address
from . import jobs
from .combine import COMBINES
from .dtypes import WIDTHS, from_bfloat16, to_bfloat16
from .philox import philox
from .pieces import Kernel
from .rows import Rows, rows

TILE = 512  # blocks that a program draws, 16 elements for each of its threads
WARPS = 4
OUTER_AXES = 4
DTYPES = {getattr(torch, name) for name in WIDTHS}


@cache
def available() -> bool:
    """Whether Triton can be imported."""
    try:
        import triton  # noqa: F401
    except Exception:  # some broken installations raise other than ImportError
        return False
    return True


def perturb(
    x: Tensor,
    out: Tensor,
    kernel: Kernel,
    strength: Tensor,
    address: Address,
    scale: Tensor | None = None,
    keep: Tensor | None = None,
    batch_axis: int | None = None,
    first: int = 0,
) -> bool:
    """Write combine(x, scale * draw) into `out`, which is x itself or does not meet it; False where nothing was done.

    x, out: of one shape and dtype.  scale, keep (bool): expandable to x.  All on one device.
    """
    operands = (x, out, strength, *address, scale, keep)
    key = (kernel.prepare, kernel.block, kernel.combine, x.dtype, x.device)
    if x.dtype not in DTYPES or strength.dtype != torch.float32 or not _runs_on(x.device) or key in _refused:
        return False
    if any(t is not None and (t.device != x.device or t.layout is not torch.strided or t.is_neg()) for t in operands):
        return False
    if x.numel() == 0:
        return True
    examples = address.examples.contiguous()
    if batch_axis is not None and (not len(examples) or x.shape[batch_axis] % len(examples)):
        return False
    if scale is not None:
        scale = scale.to(compute_dtype(x.dtype)).expand(x.shape)
    if keep is not None:
        keep = keep.view(torch.uint8).expand(x.shape)
    none = (0,) * x.dim()
    strides = [x.stride(), out.stride(), *(none if t is None else t.stride() for t in (keep, scale))]
    lie = rows(x.shape, batch_axis, len(examples), tuple(strides))
    if len(lie.outer) > OUTER_AXES:
        return False
    tensors = (x, out, keep, scale, strength, address.key.contiguous(), address.step, examples)
    try:
        with torch.cuda.device(x.device) if x.is_cuda else nullcontext():
            _launch(tensors, _functions(*key[:4]), lie, first, *map(jobs.float_bits, kernel.constants))
    except Exception as error:  # Triton raises its own for what it cannot compile, and others
        _refused.add(key)
        reason = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"
        line = f"torchnoise: no GPU kernel here, so the slow form draws the same noise ({reason})"
        warnings.warn(line, RuntimeWarning, stacklevel=2)
        return False
    return True


_refused: set[tuple] = set()  # kernels that could not be compiled or started, and are not tried again


@cache
def _runs_on(device: torch.device) -> bool:
    if os.environ.get("TORCHNOISE_KERNELS") == "0" or not available():
        return False
    return torch.version.hip is None if device.type == "cuda" else device.type == "cpu" and _interpreted()


def _interpreted() -> bool:
    """Whether Triton interprets kernels, as it decided itself when they were defined."""
    from .gpu_kernel import INTERPRETED

    return INTERPRETED


@cache
def _functions(prepare: Callable, block: Callable, combine: str, dtype: torch.dtype) -> dict[str, Any]:
    """What a kernel is made of, for Triton."""
    from .gpu_translate import translate

    # GPUs' own conversions are right; the interpreter's of bfloat16 are not
    by_hand = dtype == torch.bfloat16 and _interpreted()
    return {
        "PHILOX": translate(philox),
        "PREPARE": translate(prepare),
        "BLOCK": translate(block),
        "FORMULA": translate(COMBINES[combine]),
        "LOAD": translate(from_bfloat16) if by_hand else None,
        "STORE": translate(to_bfloat16) if by_hand else None,
    }


def _launch(
    tensors: tuple[Tensor | None, ...], functions: dict[str, Any], lie: Rows, first: int, constant: int, other: int
) -> None:
    from .gpu_kernel import perturb

    programs, numbers, constants = _plan(lie, first)
    perturb[(programs,)](
        *tensors, first, constant, other, *numbers, **functions, **constants, num_warps=WARPS, enable_fp_fusion=False
    )


@lru_cache(maxsize=1024)
def _plan(lie: Rows, first: int) -> tuple[int, tuple, dict[str, Any]]:
    """How many programs walk over operands that lie so, and what the kernel is told of them."""
    count = lie.examples * lie.rows
    aligned = first % 4 == 0 and (lie.rows == 1 or lie.length % 4 == 0)
    blocks = (lie.length + 3) // 4 + (not aligned)  # a row that begins inside a block touches one block more
    width = _width(blocks)
    height, parts = TILE // width, -(-blocks // width)
    starts = [o[by] for o in (lie.example, *(a[1:] for a in lie.outer)) for by in (jobs.BY_X, jobs.BY_OUT)]
    multiple = next(m for m in (16, 4, 1) if all(n % m == 0 for n in (lie.length, *starts))) if aligned else 1
    outer = [n for axis in reversed(lie.outer) for n in axis]  # the last axis moves first
    strides = tuple(2 * n + 3 for n in (*lie.along, *lie.example, *outer))  # why so: gpu_kernel.number
    constants = {
        "KEEP_EACH": lie.along[jobs.BY_KEEP] != 0,
        "SCALE_EACH": lie.along[jobs.BY_SCALE] != 0,
        "UNIT": lie.along[jobs.BY_X] == lie.along[jobs.BY_OUT] == 1,
        "ALIGNED": aligned,
        "MULTIPLE": multiple,
        "WIDE": max((lie.length + 4 * TILE) * max(1, *lie.along), count + TILE) >= 2**31,
        "HEIGHT": height,
        "WIDTH": width,
    }
    return -(-count // height) * parts, (count, lie.rows, lie.length, parts, strides), constants


def _width(blocks: int) -> int:
    """How many blocks of a row a tile takes: the most that leave few of its places empty."""
    width = TILE
    while -(-blocks // width) * width > 1.25 * blocks:
        width //= 2
    return width
