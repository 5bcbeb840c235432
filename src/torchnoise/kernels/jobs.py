"""What a walk is told: one job for each tensor, as 64-bit integers in one block of memory.

    [count, (first piece, place) for each job, number of pieces, jobs ...]

A job is the slots below, then one group of AXIS for each outer axis. A row is what successive elements of one example
share: its elements lie at one stride in each operand. A piece is up to CHUNK blocks of a row.
"""

from __future__ import annotations

import struct
from functools import lru_cache

CHUNK = 512  # blocks; their words and values take 20 KiB, which stays in a first-level cache

# the addresses of the pieces, of the operands (0 where absent), and of what the address is made of
FILL, COMBINE, X, OUT, KEEP, SCALE, STRENGTH, KEY, STEP, EXAMPLES = range(10)
# first element's number, the noise's constant (the bits of a float64), bytes of an element of x and of scale
FIRST, CONSTANT, X_BYTES, SCALE_BYTES = range(10, 14)
# rows of an example, elements of a row, pieces of a row, outer axes
ROWS, LENGTH, PIECES, AXES = range(14, 18)
# strides in elements along a row, then from example to example
ALONG, EXAMPLE = 18, 22
SLOTS = 26
# an outer axis: its size, then its strides
AXIS = 5
# the order of strides
BY_X, BY_OUT, BY_KEEP, BY_SCALE = range(4)


@lru_cache(maxsize=64)
def _packer(count: int) -> struct.Struct:
    return struct.Struct(f"{count}q")


def pack(jobs: list[tuple[int, ...]], pieces: list[int]) -> bytes:
    """The block of memory for these jobs. pieces: how many each has."""
    place = 2 * len(jobs) + 2
    head, first = [len(jobs)], 0
    for job, count in zip(jobs, pieces, strict=True):
        head += (first, place)
        first, place = first + count, place + len(job)
    head.append(first)
    flat = [slot for job in jobs for slot in job]
    return _packer(len(head) + len(flat)).pack(*head, *flat)


def float_bits(value: float) -> int:
    """The bits of a float64, as a signed integer."""
    return int(struct.unpack("<q", struct.pack("<d", value))[0])
