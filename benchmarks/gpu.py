"""Noise on a GPU against the memory it moves: additive Gaussian noise at 2^28 elements, as a table in Markdown.

    python benchmarks/gpu.py

Two yardsticks: copying the same bytes, which nothing that reads x and writes y can beat, and x + randn_like(x) * s.
Before anything is timed, the end of the tensor is compared with what the CPU draws there, bit for bit.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable

import torch
from torch import Tensor

import torchnoise as tn
from torchnoise import oracle
from torchnoise.kernels import gpu
from torchnoise.oracle import Static
from torchnoise.streams import Address

NOISE = tn.Gaussian(0.1)
CHECKED = 4096  # elements compared with the CPU


def milliseconds(run: Callable[[], object], repeats: int) -> float:
    """The median time of a call on the GPU, after a few that are not counted."""
    times = []
    for i in range(repeats + 5):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        run()
        end.record()
        torch.cuda.synchronize()
        if i >= 5:
            times.append(begin.elapsed_time(end))
    return statistics.median(times)


def on(device: str) -> tuple[Tensor, Address]:
    """Strength and address."""
    key, step, examples = torch.tensor([1, 2]), torch.tensor(3), torch.tensor([0])
    return torch.tensor(NOISE.strength, device=device), Address(*(t.to(device) for t in (key, step, examples)))


def row(dtype: torch.dtype, elements: int, repeats: int) -> str:
    """One line of the table."""
    x = torch.randn(elements, device="cuda").to(dtype)
    out = torch.empty_like(x)
    kernel, (strength, address) = NOISE.kernel("add"), on("cuda")

    def fused() -> None:
        if not gpu.perturb(x, out, kernel, strength, address):
            sys.exit("benchmarks/gpu.py: the kernel does not run here; see the warning above")

    fused()
    much, where = on("cpu")
    static = Static(NOISE, "add", None, elements - CHECKED)
    if not torch.equal(out[-CHECKED:].cpu(), oracle.perturb(x[-CHECKED:].cpu(), static, much, where, None, None)):
        sys.exit(f"benchmarks/gpu.py: {dtype}: the GPU does not draw what the CPU draws; nothing was timed")

    copy = milliseconds(lambda: out.copy_(x), repeats)
    ours = milliseconds(fused, repeats)
    eager = milliseconds(lambda: x + torch.randn_like(x) * NOISE.strength, repeats)
    moved = 2 * x.nbytes / 1e6  # GB/s times ms
    return (
        f"| {str(dtype).removeprefix('torch.')} | {copy:.3f} | {ours:.3f} | {eager:.3f} | {moved / copy:.0f} | "
        f"{moved / ours:.0f} | {ours / copy:.2f} | {eager / ours:.2f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--elements", type=int, default=2**28)
    parser.add_argument("--repeats", type=int, default=30)
    given = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("benchmarks/gpu.py: no CUDA device here, so there is nothing to measure")
    if not gpu.available():
        sys.exit("benchmarks/gpu.py: Triton cannot be imported, so there is no GPU kernel to measure")
    import triton

    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, Triton {triton.__version__}, ", end="")
    print(f"{given.elements} elements, median of {given.repeats}; ", end="")
    print("eager: x + torch.randn_like(x) * s\n")
    print(
        "| dtype | copy_ ms | noise ms | x + randn * s ms | copy_ GB/s | noise GB/s | noise / copy_ | eager / noise |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for dtype in (torch.bfloat16, torch.float32):
        print(row(dtype, given.elements, given.repeats), flush=True)


if __name__ == "__main__":
    main()
