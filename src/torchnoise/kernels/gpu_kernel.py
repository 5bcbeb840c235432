"""The Triton kernel of every noise: words at an address, the source's values, the combine, in one pass over memory.

One program takes a tile: HEIGHT rows (rows.py) by WIDTH blocks of four elements each. The source and the combine come
in as translated scalar functions (gpu_translate.py), so this file knows no noise by name. A value that is not a number
marks an element that stays as it is, as on the CPU (loops.py).

Only gpu.py imports this module, and only when something has to run: it loads Triton.
"""

import triton
import triton.language as tl

# -- words of scalar.py that are more than one in Triton ---------------------------------------------------------------


@triton.jit
def bits_of(x):
    return x.to(tl.float32).to(tl.int32, bitcast=True)


@triton.jit
def float_of(bits):
    return bits.to(tl.uint32).to(tl.float32, bitcast=True)


@triton.jit
def sqrt(x):
    if x.dtype == tl.float64:
        return tl.sqrt(x)
    else:
        return tl.sqrt_rn(x)  # tl.sqrt would be an approximation


# -- elements ----------------------------------------------------------------------------------------------------------


@triton.jit
def widen(raw, LOAD: tl.constexpr):
    """An element as it is computed: in float32 at least."""
    if LOAD is not None:
        return LOAD(raw.to(tl.uint16, bitcast=True))
    elif raw.dtype == tl.float64:
        return raw
    else:
        return raw.to(tl.float32)


@triton.jit
def narrow(made, dtype: tl.constexpr, STORE: tl.constexpr):
    """Rounded to the nearest, ties to even."""
    if STORE is not None:
        return STORE(made).to(dtype, bitcast=True)
    else:
        return made.to(dtype)


# -- the kernel --------------------------------------------------------------------------------------------------------


@triton.jit
def number(odd):
    """A size or stride n. It comes as 2n + 3, because Triton compiles anew for 1 and for multiples of 16."""
    return (tl.cast(odd, tl.int64) - 3) >> 1


# What varies from call to call must not ask for another compilation; what matters for speed comes as a constexpr.
@triton.jit(
    do_not_specialize=["first", "constant", "other", "count", "rows", "length", "parts"],
    do_not_specialize_on_alignment=["keep", "scale", "strength", "key", "step", "examples"],
)
def perturb(
    x,
    out,
    keep,  # bytes, or None
    scale,  # or None
    strength,
    key,
    step,
    examples,
    first,  # the first element's number
    constant,  # of the noise: the bits of a float64
    other,  # a second one
    count,  # rows of all examples
    rows,  # of one example
    length,
    parts,  # tiles along a row
    lie,  # strides of x, out, keep and scale: along a row, from example to example, along each axis behind its size
    PHILOX: tl.constexpr,
    PREPARE: tl.constexpr,
    BLOCK: tl.constexpr,
    FORMULA: tl.constexpr,
    LOAD: tl.constexpr,  # from and to 16 bits; None for the processor's own conversions
    STORE: tl.constexpr,
    KEEP_EACH: tl.constexpr,  # keep has an entry for each element, not for each row
    SCALE_EACH: tl.constexpr,
    UNIT: tl.constexpr,  # x and out have stride 1 along a row
    ALIGNED: tl.constexpr,  # every row begins with a block
    MULTIPLE: tl.constexpr,  # divides the length of rows, and where they begin in x and out
    WIDE: tl.constexpr,  # places in a row, or rows' numbers, need 64 bits
    HEIGHT: tl.constexpr,
    WIDTH: tl.constexpr,
):
    """out = combine(x, scale * draw)."""
    place: tl.constexpr = tl.int64 if WIDE else tl.int32
    part = (tl.program_id(0) % parts).to(place)
    row = (tl.program_id(0) // parts).to(place) * HEIGHT + tl.arange(0, HEIGHT)
    live = row < count
    example, inside = row // rows, row % rows
    begin = tl.cast(first, tl.int64) + inside.to(tl.int64) * length  # the row's first element within its example

    # where the rows begin in each operand
    by = example.to(tl.int64)
    by_x, by_out = by * number(lie[4]), by * number(lie[5])
    by_keep, by_scale = by * number(lie[6]), by * number(lie[7])
    for axis in tl.static_range(8, len(lie), 5):
        size = number(lie[axis]).to(row.dtype)
        by = (inside % size).to(tl.int64)
        inside = inside // size
        by_x += by * number(lie[axis + 1])
        by_out += by * number(lie[axis + 2])
        by_keep += by * number(lie[axis + 3])
        by_scale += by * number(lie[axis + 4])
    by_x, by_out = tl.multiple_of(by_x, MULTIPLE)[:, None], tl.multiple_of(by_out, MULTIPLE)[:, None]

    # the values of each block, in the order 0, 1, 2, 3
    block = (begin >> 2)[:, None] + (part * WIDTH + tl.arange(0, WIDTH))[None, :]
    who = tl.load(examples + example, mask=live, other=0).to(tl.uint32)[:, None]
    k0, k1 = tl.load(key).to(tl.uint32), tl.load(key + 1).to(tl.uint32)
    when, much = tl.load(step).to(tl.uint32), tl.load(strength)
    w0, w1, w2, w3 = PHILOX(block.to(tl.uint32), (block >> 32).to(tl.uint32), when, who, k0, k1)
    constant = tl.cast(constant, tl.int64).to(tl.float64, bitcast=True)
    other = tl.cast(other, tl.int64).to(tl.float64, bitcast=True)
    prepared = PREPARE(much, (constant, other))
    v0, v1, v2, v3 = BLOCK(w0, w1, w2, w3, prepared)
    v = tl.join(tl.join(v0, v2), tl.join(v1, v3)).reshape(HEIGHT, 4 * WIDTH)

    # the elements
    i = (part * (4 * WIDTH) + tl.arange(0, 4 * WIDTH))[None, :]
    end = (length // MULTIPLE * MULTIPLE).to(place)  # length, said so that the compiler sees what divides it
    if ALIGNED:
        here = live[:, None] & (i < end)
    else:
        i = i - (begin & 3).to(place)[:, None]
        here = live[:, None] & (i >= 0) & (i < end)
    if UNIT:
        from_x, to_out = x + by_x + i, out + by_out + i
    else:
        from_x, to_out = x + by_x + i * number(lie[0]).to(place), out + by_out + i * number(lie[1]).to(place)
    raw = tl.load(from_x, mask=here)
    take = (v == v) & (tl.broadcast_to(much, v.shape) != 0.0)
    if keep is not None:
        if KEEP_EACH:
            kept = tl.load(keep + by_keep[:, None] + i * number(lie[2]).to(place), mask=here, other=0)
        else:
            kept = tl.load(keep + by_keep, mask=live, other=0)[:, None]
        take = take & (kept != 0)
    wide = widen(raw, LOAD)
    each = tl.full((), 1.0, wide.dtype)
    if scale is not None:
        if SCALE_EACH:
            each = tl.load(scale + by_scale[:, None] + i * number(lie[3]).to(place), mask=here)
        else:
            each = tl.load(scale + by_scale, mask=live)[:, None]
    made = tl.broadcast_to(FORMULA(wide, v, each), v.shape).to(wide.dtype)
    tl.store(to_out, tl.where(take, narrow(made, raw.dtype, STORE), raw), mask=here)


INTERPRETED = not isinstance(perturb, triton.JITFunction)
