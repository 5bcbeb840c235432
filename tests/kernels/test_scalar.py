"""Kernels' scalar functions, run as plain Python on NumPy's numbers, against the oracle and torch's conversions."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
import torch
from draws import SHIPPED, bits, random_bits
from torch import Tensor

from torchnoise.combine import COMBINES as ORACLE_COMBINES
from torchnoise.combine import Draw
from torchnoise.kernels import combine, dtypes, normal, scalar
from torchnoise.kernels.philox import philox
from torchnoise.noise import RandomNoise
from torchnoise.streams import philox as oracle_philox
from torchnoise.streams.normal import _radius, cos_sin
from torchnoise.streams.normal import normal as oracle_normal

u32, f32, f64 = np.uint32, np.float32, np.float64
TOP = 2**32 - 1
MARK = int(scalar.left_alone().view(np.int32))
EDGES = [0, 1, 2, 3, 2**24 - 1, 2**24, 2**24 + 1, 2**29 - 1, 2**29, 2**30, 3 * 2**29, 2**31 - 1, 2**31, 2**31 + 1]
EDGES += [5 * 2**29, 3 * 2**30, 7 * 2**29, TOP - 256, TOP - 129, TOP - 128, TOP - 127, TOP - 1, TOP]


@pytest.fixture(autouse=True)
def wrapping():
    """Integers wrap in kernels, which NumPy's scalars warn about; so do floats that become infinite."""
    with np.errstate(all="ignore"):
        yield


def some_words(count: int = 300, seed: int = 0) -> Tensor:
    """Words at the edges of every case, and random ones: int64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.cat([torch.tensor(EDGES), torch.randint(0, 2**32, (count,), generator=generator)])


def blocks(count: int = 150) -> Tensor:
    """Blocks of four such words: int64 [blocks, 4]."""
    w = some_words(4 * count)
    mixed = w[torch.randperm(len(w), generator=torch.Generator().manual_seed(1))]
    straight = w[: len(w) // 4 * 4].view(-1, 4)
    return torch.cat([straight, mixed[: len(w) // 4 * 4].view(-1, 4)])


def as_float32(values: Iterable) -> Tensor:
    """What plain Python gave, each checked to be a float32: a wider number would round elsewhere than in a kernel."""
    found = list(values)
    assert {type(v) for v in found} == {f32}
    return torch.from_numpy(np.array(found, f32))


def test_nothing_is_marked_by_accident() -> None:
    assert scalar.is_scalar(philox)
    assert not scalar.is_scalar(oracle_philox)
    assert not scalar.is_scalar(np.sqrt)


def test_the_mark_of_what_is_left_alone() -> None:
    """No arithmetic makes it: a strength that is not a number must be seen in the result."""
    assert scalar.is_left_alone(scalar.left_alone())
    nan, inf = f32("nan"), f32("inf")
    for value in (
        nan,
        -nan,
        inf - inf,
        f32(0.0) * inf,
        inf * f32(0.0),
        np.sqrt(f32(-1.0)),
        nan * f32(2.0),
        f32(1.0),
        inf,
    ):
        assert not scalar.is_left_alone(value)


def test_philox() -> None:
    """Broken on purpose: `range(9)`; the two multipliers exchanged; a key that is counted up before the first round."""
    w = some_words(200)
    rows = [torch.roll(w, i * 7) for i in range(6)]
    for c0, c1, c2, c3, k0, k1 in torch.stack(rows, 1).tolist():
        found = philox(u32(c0), u32(c1), u32(c2), u32(c3), u32(k0), u32(k1))
        counter = tuple(torch.tensor(c) for c in (c0, c1, c2, c3))
        assert [int(f) for f in found] == oracle_philox(counter, torch.tensor([k0, k1])).tolist()  # type: ignore[arg-type]
        assert {type(f) for f in found} == {u32}


def test_radius() -> None:
    """Bit-equal, also where the radius is 0. Broken on purpose: a coefficient changed in its last digit."""
    w = some_words(2000)
    found = as_float32(normal.radius(u32(each)) for each in w.tolist())
    assert torch.equal(found, _radius(w))
    wrong = w[bits(found) != bits(_radius(w))]
    assert wrong.tolist() == []


def test_cos_sin() -> None:
    """Bit-equal in every quadrant and at its borders. Broken on purpose: a sine's sign taken from `quadrant + 1`."""
    w = some_words(2000)
    found = [normal.cos_sin(u32(each)) for each in w.tolist()]
    for which in (0, 1):
        assert torch.equal(bits(as_float32(f[which] for f in found)), bits(cos_sin(w)[which]))


def test_normal() -> None:
    """Broken on purpose: words (0, 2) and (1, 3) paired instead of (0, 1) and (2, 3)."""
    w = blocks()
    found = [as_float32(normal.normal(*(u32(each) for each in row))) for row in w.tolist()]
    assert torch.equal(torch.stack(found), oracle_normal(w))


@pytest.mark.parametrize("name", SHIPPED)
def test_sources(name: str) -> None:
    """prepare and block of each shipped source against its `draw`, at several strengths.

    A miss is a mark of its own; a factor takes the place of 1 + value. Broken on purpose: in
    sources/uniform.py, `_MIDDLE` without the 1; in sources/bernoulli.py, a gain of f64.
    """
    noise: RandomNoise = SHIPPED[name]
    kernel = noise.kernel(noise.combine)
    assert kernel is not None
    w = blocks()
    for strength in (0.1, 0.3, 0.5, 1.0 if not noise.has_hits else 0.75, 1e-9):
        s = torch.tensor(min(strength, noise.largest))
        prepared = kernel.prepare(f32(s.item()), tuple(map(f64, kernel.constants)))
        found = torch.stack([as_float32(kernel.block(*(u32(e) for e in row), prepared)) for row in w.tolist()])
        drawn = noise.draw(w, s)
        if kernel.combine == "factor":
            assert torch.equal(found, ORACLE_COMBINES["multiply"].forward(torch.ones_like(found), drawn, None))
        elif drawn.hit is not None:
            assert torch.equal(bits(found) != MARK, drawn.hit)
            assert torch.equal(found[drawn.hit], drawn.values.expand_as(found)[drawn.hit])
        else:
            assert torch.equal(found, drawn.values)


@pytest.mark.parametrize("strength", [0.0, 1e-10, 2.0**-32, 0.5, 1.0 - 2.0**-24, 1.0])
def test_thresholds(strength: float) -> None:
    """Hits at a probability p are the words below p 2^32, from none to all. Broken on purpose: `<=` for `<`."""
    kernel = SHIPPED["bernoulli replace"].kernel("replace")
    assert kernel is not None
    threshold = int(f32(strength) * 2.0**32)
    for word in (w for w in (0, threshold - 1, threshold, TOP) if 0 <= w <= TOP):
        values = kernel.block(*(u32(word),) * 4, kernel.prepare(f32(strength), (f64(0.5), f64(0.0))))
        assert [not scalar.is_left_alone(v) for v in values] == [word < threshold] * 4


@pytest.mark.parametrize("name", ["add", "multiply", "replace", "erase"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_combines(name: str, dtype: torch.dtype) -> None:
    """The formulas against the oracle's. Broken on purpose: `x + x * v` for `x * (1 + v)`, which rounds otherwise."""
    generator = torch.Generator().manual_seed(0)
    x, scale = torch.randn(2, 500, generator=generator, dtype=dtype)
    v = torch.randn(500, generator=generator)
    kind = f32 if dtype == torch.float32 else f64
    formula = combine.COMBINES[name]
    found = [formula(kind(a), f32(b), kind(c)) for a, b, c in zip(*(t.tolist() for t in (x, v, scale)), strict=True)]
    wanted = ORACLE_COMBINES[name].forward(x, Draw(v), scale)
    assert torch.equal(torch.tensor([float(f) for f in found], dtype=dtype), wanted)


# -- conversions -------------------------------------------------------------------------------------------------------


def halves(dtype: torch.dtype) -> Tensor:
    """All 65536 patterns of a half-width float."""
    return torch.arange(2**16).to(torch.uint16).view(dtype)


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_widening(name: str) -> None:
    """All 65536 patterns. Broken on purpose: subnormal numbers taken for normal ones, or for zero."""
    h = halves(getattr(torch, name))
    load = dtypes.WIDTHS[name].load
    found = as_float32(load(np.uint16(each)) for each in range(2**16))
    wanted = h.to(torch.float32)
    assert torch.equal(found.isnan(), wanted.isnan())
    assert torch.equal(bits(found)[~wanted.isnan()], bits(wanted)[~wanted.isnan()])
    assert torch.equal(found.isnan(), h.isnan())


def awkward(dtype: torch.dtype) -> Tensor:
    """float32 numbers that are hard to round to a half-width float.

    Each half-way point between neighbours, and the numbers on both sides of it; both zeros; infinities; what overflows
    barely or not; float32's own subnormal numbers; random bits.
    """
    generator = torch.Generator().manual_seed(0)
    low = torch.cat([torch.randint(0, 2**15, (1500,), generator=generator), torch.arange(40), torch.arange(1000, 1040)])
    low = torch.cat([halves(dtype)[low], torch.tensor([torch.finfo(dtype).max], dtype=dtype)])
    low = low[low.isfinite()].to(torch.float32)
    half_way = (bits(low) + (0x1000 if dtype == torch.float16 else 0x8000)).view(torch.float32)
    if dtype == torch.float16:
        half_way = torch.where(low < 2.0**-14, low + 2.0**-25, half_way)
    inf = torch.tensor(torch.inf)
    special = [0.0, torch.inf, torch.nan, 1e-45, 1e-40, 3e-8, 2.0**-25, 2.0**-24, 65519.99, 65520.0, 3.4e38]
    sides = [half_way, torch.nextafter(half_way, inf), torch.nextafter(half_way, -inf), torch.tensor(special)]
    positive = torch.cat([*sides, low])
    return torch.cat([positive, -positive, random_bits((6000,), torch.float32)])


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_narrowing(name: str) -> None:
    """To the nearest, ties to even; the sign of zero stays; too large is infinite; not a number stays none.

    Broken on purpose: ties away from zero (`0x8000` for `0x7FFF`); subnormal numbers flushed; NaN rounded to infinity.
    """
    dtype = getattr(torch, name)
    x = awkward(dtype)
    store = dtypes.WIDTHS[name].store
    made = [store(f32(each)) for each in x.numpy()]
    assert {type(m) for m in made} == {np.uint16}
    found = torch.from_numpy(np.array(made, np.uint16)).view(dtype)
    wanted = x.to(dtype)
    assert torch.equal(found.isnan(), wanted.isnan())
    number = ~wanted.isnan()
    assert torch.equal(bits(found)[number], bits(wanted)[number])
    assert number.sum() > 8000


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_there_and_back(name: str) -> None:
    """Every number survives both conversions."""
    width = dtypes.WIDTHS[name]
    h = halves(getattr(torch, name))
    numbers = torch.arange(2**16)[~h.isnan()].tolist()
    assert [int(width.store(width.load(np.uint16(n)))) for n in numbers] == numbers
