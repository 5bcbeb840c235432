"""What a walk is told: one job for each tensor, as 64-bit integers in one block of memory.

    [count, (first piece, place) for each job, number of pieces, jobs ...]

A job is the slots below, then one group of AXIS for each outer axis. A row is what successive elements of one example
share: its elements lie at one stride in each operand. A piece is up to CHUNK blocks of a row.
"""

from __future__ import annotations

import struct

CHUNK = 512  # blocks; their words and values take 20 KiB, which stays in a first-level cache

# addresses of the operands (0 where absent) and of what the address is made of: all that differs from call to call
X, OUT, KEEP, SCALE, STRENGTH, KEY, STEP, EXAMPLES = range(8)
# addresses of the pieces; the first element's number, the noise's two constants (the bits of a float64 each)
FILL, COMBINE, FIRST, CONSTANT, OTHER = range(8, 13)
# bytes of an element of x and of scale
X_BYTES, SCALE_BYTES = 13, 14
# rows of an example, elements of a row, pieces of a row, outer axes
ROWS, LENGTH, PIECES, AXES = range(15, 19)
# strides in elements along a row, then from example to example
ALONG, EXAMPLE = 19, 23
SLOTS = 27
# an outer axis: its size, then its strides
AXIS = 5
# the order of strides
BY_X, BY_OUT, BY_KEEP, BY_SCALE = range(4)


pointers = struct.Struct("8q").pack


def integers(*values: int) -> bytes:
    """Slots, one after the other."""
    return struct.pack(f"{len(values)}q", *values)


def header(jobs: list[bytes], pieces: list[int]) -> bytes:
    """What stands before these jobs. pieces: how many each has."""
    place = 2 * len(jobs) + 2
    slots, first = [len(jobs)], 0
    for job, count in zip(jobs, pieces, strict=True):
        slots += (first, place)
        first, place = first + count, place + len(job) // 8
    return integers(*slots, first)


def float_bits(value: float) -> int:
    """The bits of a float64, as a signed integer."""
    return int(struct.unpack("<q", struct.pack("<d", value))[0])
