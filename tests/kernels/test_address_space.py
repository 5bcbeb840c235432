"""Every corner of the address space, as kernels draw it: against the oracle, and Philox in Python's own integers."""

from __future__ import annotations

import math

import pytest
import torch
from cases import same
from draws import at, call, fast, slow
from torch import Tensor

import torchnoise as tn
from torchnoise.streams import Address

M0, M1, W0, W1 = 0xD2511F53, 0xCD9E8D57, 0x9E3779B9, 0xBB67AE85
TOP = 2**32 - 1
UNIT = tn.Uniform(1.0, combine="replace")  # what it draws from a word is exact, and so easily written down
FIRSTS = [0, 1, 2, 3, 4, 2**34 - 2, 2**34 - 1, 2**34, 2**34 + 1, 2**36 + 2047, 2**45 + 3, 2**60 + 6]
KEYS = [(5, 6), (TOP, TOP), (2**31, 0), (0, 2**31), (TOP - 1, 2**31 + 1)]


def by_hand(counter: tuple[int, int, int, int], key: tuple[int, int]) -> list[int]:
    """Philox4x32-10, written from the paper's figure."""
    c, (k0, k1) = list(counter), key
    for _ in range(10):
        p0, p1 = M0 * c[0], M1 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k0, p1 % 2**32, (p0 >> 32) ^ c[3] ^ k1, p0 % 2**32]
        k0, k1 = (k0 + W0) % 2**32, (k1 + W1) % 2**32
    return c


def unit_by_hand(element: int, example: int, step: int, key: tuple[int, int]) -> float:
    """Uniform noise at an address: word `element % 4` of block `element // 4`, as (2k + 1) / 2^24 - 1."""
    block, word = divmod(element, 4)
    w = by_hand((block % 2**32, block >> 32, step, example), key)[word]
    return (2 * (w >> 8) + 1) / 2**24 - 1


def expected(shape: tuple[int, int], address: Address, first: int) -> Tensor:
    """[examples, elements] by hand."""
    key, step = tuple(address.key.tolist()), int(address.step)
    return torch.tensor(
        [[unit_by_hand(first + e, n, step, key) for e in range(shape[1])] for n in address.examples.tolist()]
    )


@pytest.mark.parametrize("first", FIRSTS)
def test_elements(first: int) -> None:
    """Shards begin anywhere, also beyond 2^32 blocks, and nothing has to be allocated to get there.

    Broken on purpose: in kernels/loops.py, a block that loses its upper half (`u32(0)` for `u32(c >> u64(32))`).
    """
    address = at(torch.tensor([0, 7]))
    one = call(torch.zeros(2, 23), UNIT, address, first=first)
    assert torch.equal(fast(one), expected((2, 23), address, first))
    assert same(slow(one), fast(one))


@pytest.mark.parametrize("first", [2**34 - 2, 2**34 - 4099, 3, 2**34 - 20_001])
def test_many_pieces_across_the_carry(first: int) -> None:
    """Pieces of kernels on both sides of block 2^32, for normal noise, in rows of every length."""
    for shape, axis in (((20_011,), None), ((3, 20_001), 0), ((2, 7, 1201), 0), ((5, 3, 4), None)):
        x = torch.zeros(shape)
        one = call(x, tn.Gaussian(1.0), first=first, batch_axis=axis)
        assert same(fast(one), slow(one))
    transposed = torch.zeros(150, 3).T
    one = call(transposed, tn.Gaussian(1.0), first=first, batch_axis=None)
    assert same(fast(one), slow(one))


@pytest.mark.parametrize("step", [0, 1, 2**31 - 1, 2**31, TOP - 1, TOP])
@pytest.mark.parametrize("key", KEYS, ids=str)
def test_steps_and_keys(step: int, key: tuple[int, int]) -> None:
    """All 32 bits of a step and all 64 of a key count. Broken on purpose: a key read as its low half."""
    address = at(torch.tensor([0, TOP]), key, step)
    one = call(torch.zeros(2, 6), UNIT, address)
    assert torch.equal(fast(one), expected((2, 6), address, 0))
    assert same(slow(one), fast(one))


def test_examples() -> None:
    """Numbers near both ends, in any order, several times. Broken on purpose: an example's place for its number."""
    numbers = torch.tensor([TOP, TOP - 1, 0, 1, 2**31, 2**31 - 1, 2**20, 5, 5, 0])
    address = at(numbers)
    for width in (1, 2, 3, 4, 5, 9):
        one = call(torch.zeros(10, width), UNIT, address)
        assert torch.equal(fast(one), expected((10, width), address, 0))
        assert same(slow(one), fast(one))


@pytest.mark.parametrize("width", [1, 2, 3, 5, 6, 7])
@pytest.mark.parametrize("first", [0, 1, 2, 3])
def test_rows_shorter_than_a_block(width: int, first: int) -> None:
    """Rows that begin inside a block, where the row before ended. Broken on purpose: a row that begins a new block."""
    address = at(3)
    x = torch.zeros(3, 4, 2 * width)[:, :, :width]  # four rows an example
    one = call(x, UNIT, address, first=first)
    assert torch.equal(fast(one).reshape(3, 4 * width), expected((3, 4 * width), address, first))
    successive = torch.zeros(6, 2, 2 * width)[:, :, :width]  # two entries an example
    one = call(successive, UNIT, address, first=first)
    assert torch.equal(fast(one).reshape(3, 4 * width), expected((3, 4 * width), address, first))


@pytest.mark.parametrize("length", [2043, 2044, 2045, 2046, 2047, 2048, 2049, 4094, 4096])
def test_rows_that_fill_a_piece(length: int) -> None:
    """A row of 512 blocks that begins inside a block touches 513.

    Broken on purpose: in kernels/launch.py, `partial` that is always 0.
    """
    for first in (0, 1, 2, 3):
        one = call(torch.zeros(2, length), tn.Gaussian(1.0), first=first)
        assert same(fast(one), slow(one))
        apart = torch.zeros(2, 2, length + 1)[:, :, :length]  # two rows an example
        one = call(apart, tn.Gaussian(1.0), first=first)
        assert same(fast(one), slow(one))


def test_scratch_that_fills_up() -> None:
    """Rows of one to three blocks gather until the scratch memory is full, whatever their number.

    Broken on purpose: in kernels/loops.py, `4 * starts[t]` that is 0.
    """
    for rows in (170, 171, 255, 256, 257, 511, 512, 513, 1024, 1025):
        for width in (1, 4, 5, 9):
            one = call(torch.zeros(rows, width), tn.Gaussian(1.0))
            assert same(fast(one), slow(one))


def test_neighbours_share_no_words() -> None:
    """Neighbouring examples, steps and keys draw other words everywhere.

    Of 40,000 pairs of 24-bit values, a match has the chance 1 - exp(-40000 / 2^24), 0.24 %, for each line; there
    is none here. Of two Gaussian draws, the correlation is within 4.5 standard errors.
    """
    x = torch.zeros(1, 40_000)
    base = fast(call(x, UNIT, at(1)))
    deviates = fast(call(x, tn.Gaussian(1.0), at(1)))
    others = [
        at(torch.tensor([1])),
        at(torch.tensor([TOP])),
        at(1, step=1),
        at(1, step=TOP),
        at(1, key=(6, 6)),
        at(1, key=(5, 7)),
        at(1, key=(6, 5)),
        at(1, key=(5, 6 ^ 2**31)),
    ]
    for other in others:
        assert (fast(call(x, UNIT, other)) != base).all()
        product = (fast(call(x, tn.Gaussian(1.0), other)) * deviates).double()
        assert abs(product.mean()) < 4.5 / math.sqrt(x.numel())
    for first in (40_000, 2**34, 2**36):
        assert (fast(call(x, UNIT, at(1), first=first)) != base).all()


def test_examples_do_not_overlap() -> None:
    """Each example's elements are its own, whichever stand beside it, and change nothing outside its row."""
    numbers = torch.tensor([4, 3, 9, 4])
    together = fast(call(torch.zeros(4, 4099), tn.Gaussian(1.0), at(numbers)))
    for i in range(4):
        alone = fast(call(torch.zeros(1, 4099), tn.Gaussian(1.0), at(numbers[i : i + 1])))
        assert same(together[i : i + 1], alone)
    assert same(together[0], together[3])
    room = torch.full((6, 4099), 7.0)
    one = call(room[2:4], tn.Gaussian(1.0), at(numbers[:2]))
    fast(one, out=one.x)
    assert (room[[0, 1, 4, 5]] == 7.0).all()


def test_a_slice_drawn_alone() -> None:
    """Elements 5 to 14 of a draw are the draw whose first element is 5, for every such pair of ends."""
    whole = fast(call(torch.zeros(2, 40), tn.Gaussian(1.0)))
    for begin in range(12):
        for end in range(begin + 1, 20):
            part = fast(call(torch.zeros(2, end - begin), tn.Gaussian(1.0), first=begin))
            assert same(part, whole[:, begin:end])
