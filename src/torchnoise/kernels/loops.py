"""The loops of a kernel, for Numba: draw values into scratch memory, combine them with a tensor, and walk over tensors.

Three kinds of pieces are compiled apart and joined by their addresses, so that a new source or combine is one more
piece and not one more row of a product:

fill     random words for up to CHUNK blocks, then their values, 4 for each block: a piece for each source
combine  successive elements of a tensor with as many values: a piece for each combine and dtype
walk     cuts tensors into chunks and calls the other two: one piece

One value, scalar.left_alone(), marks an element that stays as it is, whatever the combine: a miss of a noise that hits
only some, padding, or everything at strength 0. It keeps its very bits.

Philox runs on 64-bit lanes and the transforms on 32-bit lanes. In one loop the wider lanes would decide for both; in
two, with the words in between in the first-level cache, each uses whole vectors.

Functions here are templates: compile.py replaces their global names (`prepare`, `block`, `load` ...) and compiles them.
Only compile.py imports this module, and only when something has to be compiled: it loads Numba.
"""

from __future__ import annotations

from typing import Any

from numba import types

from .instructions import address, at, call, prefetch, select, stack, widest_vectors
from .jobs import (
    ALONG,
    AXES,
    AXIS,
    BY_KEEP,
    BY_OUT,
    BY_SCALE,
    BY_X,
    CHUNK,
    COMBINE,
    CONSTANT,
    EXAMPLE,
    EXAMPLES,
    FILL,
    FIRST,
    KEEP,
    KEY,
    LENGTH,
    OTHER,
    OUT,
    PIECES,
    ROWS,
    SCALE,
    SCALE_BYTES,
    SLOTS,
    STEP,
    STRENGTH,
    X_BYTES,
    X,
)
from .philox import philox
from .scalar import f32, i64, is_left_alone, left_alone, scalar, u32, u64

Pointer = types.CPointer
Bytes, Words, Blocks = Pointer(types.uint8), Pointer(types.uint32), Pointer(types.uint64)
Floats, Doubles, Ints = Pointer(types.float32), Pointer(types.float64), Pointer(types.int64)
ONE = f32(1.0)
BYTES_4, BYTES_8, BYTES_16 = 4 * CHUNK, 8 * CHUNK, 16 * CHUNK
PART = 64  # blocks between requests for memory
LINE = 64  # bytes of a cache line

prepare: Any = None  # of a source: what a block needs, from (strength, constants)
block: Any = None  # of a source: four values from four words and what was prepared
formula: Any = None  # of a combine
load: Any = None  # of a dtype
store: Any = None


# -- fill --------------------------------------------------------------------------------------------------------------

FILL_TYPES = (Floats, Words, Blocks, Words, *[types.int64] * 4, types.float32, types.float64, types.float64)


def fill(
    values: Any,
    words: Any,
    blocks: Any,
    examples: Any,
    count: Any,
    step: Any,
    k0: Any,
    k1: Any,
    strength: Any,
    constant: Any,
    other: Any,
) -> None:
    """4 values for each of `count` blocks; words is scratch."""
    widest_vectors()
    step, k0, k1 = u32(step), u32(k0), u32(k1)
    for i in range(count):
        c = blocks[i]
        w0, w1, w2, w3 = philox(u32(c), u32(c >> u64(32)), step, examples[i], k0, k1)
        words[i], words[CHUNK + i], words[2 * CHUNK + i], words[3 * CHUNK + i] = w0, w1, w2, w3
    prepared = prepare(strength, (constant, other))
    for i in range(count):
        v0, v1, v2, v3 = block(words[i], words[CHUNK + i], words[2 * CHUNK + i], words[3 * CHUNK + i], prepared)
        values[4 * i], values[4 * i + 1], values[4 * i + 2], values[4 * i + 3] = v0, v1, v2, v3


# -- combine -----------------------------------------------------------------------------------------------------------


def combine_types(memory: str, compute: str) -> tuple:
    """Of a combine for elements that lie in memory and are computed as these kinds of numbers."""
    x, scale, i = Pointer(getattr(types, memory)), Pointer(getattr(types, compute)), types.int64
    return (i, Floats, x, i, x, i, scale, i, i)


def combine(
    count: Any, values: Any, x: Any, by_x: Any, out: Any, by_out: Any, scale: Any, by_scale: Any, has_scale: Any
) -> None:
    """`count` elements, where an element's value is a number; the others are copied as they are."""
    widest_vectors()
    if by_x == 1 and by_out == 1 and by_scale == 0:
        each = scale[0] if has_scale else ONE
        for i in range(count):
            raw, v = x[i], values[i]
            made = store(formula(load(raw), v, each))
            out[i] = select(is_left_alone(v), raw, made)
    else:
        for i in range(count):
            raw, v = x[i * by_x], values[i]
            made = store(formula(load(raw), v, scale[i * by_scale] if has_scale else ONE))
            out[i * by_out] = select(is_left_alone(v), raw, made)


# -- walk --------------------------------------------------------------------------------------------------------------

WALK_TYPES = (types.int64, types.int64, Ints)


def walk(begin: Any, end: Any, plan: Any) -> None:
    """Pieces begin .. end - 1 of a plan (jobs.py)."""
    values, words = at(stack(BYTES_16), Floats), at(stack(BYTES_16), Words)
    blocks, numbers = at(stack(BYTES_8), Blocks), at(stack(BYTES_4), Words)
    held, starts = at(stack(BYTES_8), Ints), at(stack(BYTES_8), Ints)
    which = 0
    piece = begin
    while piece < end:
        while plan[2 * which + 3] <= piece:  # the next job's first piece
            which += 1
        job, first_piece = at(address(plan, plan[2 * which + 2]), Ints), plan[2 * which + 1]
        last = min(end, plan[2 * which + 3])
        count, taken = 0, 0
        # gather pieces until the scratch is full
        while piece < last:
            row, part = divmod(piece - first_piece, job[PIECES])
            example, inside = divmod(row, job[ROWS])
            e = job[FIRST] + inside * job[LENGTH]
            low = (e >> 2) + part * CHUNK
            high = min(low + CHUNK, (e + job[LENGTH] + 3) >> 2)
            size = high - low
            if size > 0:
                if count + size > CHUNK:
                    break
                number = u32(at(job[EXAMPLES], Ints)[example])
                for i in range(size):
                    blocks[count + i] = u64(low + i)
                    numbers[count + i] = number
                held[taken], starts[taken] = piece, count
                count, taken = count + size, taken + 1
            piece += 1
        if at(job[STRENGTH], Floats)[0] != f32(0.0):
            draw(job, held[0] - first_piece, values, words, blocks, numbers, count)
        else:
            for i in range(4 * count):
                values[i] = left_alone()
        for t in range(taken):
            combine_piece(job, held[t] - first_piece, values, 4 * starts[t])


@scalar
def draw(job: Any, piece: Any, values: Any, words: Any, blocks: Any, numbers: Any, count: Any) -> Any:
    """Fill the scratch, a part at a time, and ask for the memory that the values will meet in between.

    That memory comes while the next values are drawn. Asked for all at once, it would keep the processor waiting.
    """
    key, step, strength = at(job[KEY], Ints), at(job[STEP], Ints)[0], at(job[STRENGTH], Floats)[0]
    constant, other = at(address(job, CONSTANT), Doubles)[0], at(address(job, OTHER), Doubles)[0]
    _, _, by_x, by_out, _, _ = place_of(job, piece)
    x, out = job[X] + by_x * job[X_BYTES], job[OUT] + by_out * job[X_BYTES]
    in_one_stretch = job[ALONG + BY_X] == 1 and job[ALONG + BY_OUT] == 1
    for first in range(0, count, PART):
        size = min(PART, count - first)
        if in_one_stretch:
            for line in range(4 * first * job[X_BYTES], 4 * (first + size) * job[X_BYTES], LINE):
                prefetch(x + line, 0)
                prefetch(out + line, 1)
        part = at(address(values, 4 * first), Floats)
        at_blocks, at_numbers = at(address(blocks, first), Blocks), at(address(numbers, first), Words)
        call(job[FILL], (part, words, at_blocks, at_numbers, size, step, key[0], key[1], strength, constant, other))


@scalar
def place_of(job: Any, piece: Any) -> Any:
    """Where a piece lies: its first and last element in the row, which of its first block, and offsets by operand."""
    row, part = divmod(piece, job[PIECES])
    example, inside = divmod(row, job[ROWS])
    e = job[FIRST] + inside * job[LENGTH]
    low = (e >> 2) + part * CHUNK
    begin = max(i64(0), 4 * low - e)
    stop = min(job[LENGTH], 4 * (low + CHUNK) - e)
    by_x, by_out = example * job[EXAMPLE + BY_X], example * job[EXAMPLE + BY_OUT]
    by_keep, by_scale = example * job[EXAMPLE + BY_KEEP], example * job[EXAMPLE + BY_SCALE]
    for axis in range(job[AXES] - 1, -1, -1):
        slot = SLOTS + AXIS * axis
        inside, index = divmod(inside, job[slot])
        by_x += index * job[slot + 1 + BY_X]
        by_out += index * job[slot + 1 + BY_OUT]
        by_keep += index * job[slot + 1 + BY_KEEP]
        by_scale += index * job[slot + 1 + BY_SCALE]
    by_x, by_out = by_x + begin * job[ALONG + BY_X], by_out + begin * job[ALONG + BY_OUT]
    by_keep, by_scale = by_keep + begin * job[ALONG + BY_KEEP], by_scale + begin * job[ALONG + BY_SCALE]
    return stop - begin, e + begin - 4 * low, by_x, by_out, by_keep, by_scale


@scalar
def combine_piece(job: Any, piece: Any, values: Any, start: Any) -> Any:
    """One piece, whose first block's values begin at `start`."""
    count, skipped, by_x, by_out, by_keep, by_scale = place_of(job, piece)
    start += skipped
    if job[KEEP] != 0:
        keep = at(job[KEEP], Bytes)
        for i in range(count):
            if keep[by_keep + i * job[ALONG + BY_KEEP]] == 0:
                values[start + i] = left_alone()
    has_scale = i64(1) if job[SCALE] != 0 else i64(0)
    call(
        job[COMBINE],
        (
            count,
            address(values, start),
            job[X] + by_x * job[X_BYTES],
            job[ALONG + BY_X],
            job[OUT] + by_out * job[X_BYTES],
            job[ALONG + BY_OUT],
            job[SCALE] + has_scale * by_scale * job[SCALE_BYTES],
            job[ALONG + BY_SCALE],
            has_scale,
        ),
    )
