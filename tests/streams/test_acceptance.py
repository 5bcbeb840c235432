"""The stream as statistics: a small part of benchmarks/acceptance, with fixed seeds.

A perfect stream is beyond each limit one time in 10,000. The seeds are fixed, so a test is green for good or something
changed. "Broken on purpose" names edits that turned the test red. What none of these can see: Philox with 7 or more of
its 10 rounds (test_known_answers does), and call numbers or seeds folded into the key without their hash, which Philox
hides but which makes addresses collide.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import torchnoise as tn
from torchnoise.noise import Call
from torchnoise.streams import Address, words
from torchnoise.streams.address import key_for_call

NORMAL = tn.Gaussian(1.0, combine="replace")
SCORE = 3.89  # |z| is beyond once in 10,000
KS_LIMIT, AD_LIMIT = 2.2253, 8.0937  # sqrt(n) D and A^2 likewise


def drawn(at: Address, count: int, first: int = 0) -> Tensor:
    """Elements first .. first + count - 1 at an address."""
    call = Call(at, torch.tensor(1.0), batch_axis=None, first=first)
    return NORMAL.inject(torch.empty(count), call)


@pytest.fixture(scope="module")
def ordered() -> Tensor:
    return drawn(tn.address(path="distribution"), 4_000_000).double().sort().values


def test_kolmogorov_smirnov(ordered: Tensor) -> None:
    """4 million draws against N(0, 1).

    Broken on purpose: in streams/normal.py, LN2 = 0.68.
    """
    n = len(ordered)
    below = torch.arange(n, dtype=torch.float64) / n
    cdf = torch.special.ndtr(ordered)
    gap = max((cdf - below).max(), (below + 1 / n - cdf).max())
    assert gap * math.sqrt(n) < KS_LIMIT


def test_anderson_darling(ordered: Tensor) -> None:
    """The same draws with more weight on the tails. The limit: Marsaglia, Marsaglia, J. Stat. Software 9(2), 2004.

    Broken on purpose: in streams/normal.py, LN2 = 0.68.
    """
    n = len(ordered)
    odd = 2 * torch.arange(n, dtype=torch.float64) + 1
    logs = torch.special.log_ndtr(ordered) + torch.special.log_ndtr(-ordered.flip(0))
    assert (odd / n * -logs - 1).sum() < AD_LIMIT


def test_tails() -> None:
    """Beyond 3, 4 and 5 standard deviations on each side, 40 million draws of 8 steps: exact binomial limits.

    Broken on purpose: in kernels/normal.py, the radius from the upper 16 bits of its word: too many at 6.8.
    """
    limits = {3: (53095, 54902), 4: (1131, 1408), 5: (1, 27)}
    above, below = dict.fromkeys(limits, 0), dict.fromkeys(limits, 0)
    z = torch.empty(1, 5_000_000)
    for step in range(8):
        tn.noisy(z, NORMAL, tn.address(step=step, path="tails"), out=z)
        for k in limits:
            above[k] += int((z > k).count_nonzero())
            below[k] += int((z < -k).count_nonzero())
    for k, (least, most) in limits.items():
        assert least <= above[k] <= most
        assert least <= below[k] <= most


def of_call(number: int) -> Address:
    at = tn.address(path="calls")
    return at._replace(key=key_for_call(at.key, number))


def of_examples(x: Tensor) -> tuple[Tensor, Tensor]:
    """Two neighbours in one batch, as a model draws them."""
    both = tn.noisy(x, NORMAL, tn.address(path="batch", examples=2))
    return both[0], both[1]


N = 1_000_000
ONE = tn.address(path="one")
PAIRS: dict[str, Callable[[], tuple[Tensor, Tensor]]] = {
    "seed": lambda: (drawn(tn.address(seed=0), N), drawn(tn.address(seed=1), N)),
    "step": lambda: (drawn(tn.address(step=6), N), drawn(tn.address(step=7), N)),
    "last step": lambda: (drawn(tn.address(step=2**31 - 1), N), drawn(tn.address(step=2**32 - 1), N)),
    "path": lambda: (drawn(tn.address(path="layers.0"), N), drawn(tn.address(path="layers.1"), N)),
    "pass": lambda: (drawn(tn.address(pass_="0"), N), drawn(tn.address(pass_="1"), N)),
    "example": lambda: of_examples(torch.empty(2, N)),
    "step against example": lambda: (
        drawn(tn.address(step=1), N),
        drawn(tn.address(examples=torch.tensor([1])), N),
    ),
    "call 0, 1": lambda: (drawn(of_call(0), N), drawn(of_call(1), N)),
    "call 1, 2": lambda: (drawn(of_call(1), N), drawn(of_call(2), N)),
    "slice": lambda: (drawn(ONE, N), drawn(ONE, N, first=N)),
    "slice, 2^34 on": lambda: (drawn(ONE, N), drawn(ONE, N, first=2**34)),
    "partners": lambda: (drawn(ONE, 2 * N)[0::2], drawn(ONE, 2 * N)[1::2]),
    "pairs of a block": lambda: (drawn(ONE, 2 * N)[1::4], drawn(ONE, 2 * N)[2::4]),
    "blocks": lambda: (drawn(ONE, N), drawn(ONE, N, first=4)),
    **{f"lag {k}": (lambda k=k: (drawn(ONE, N), drawn(ONE, N, first=k))) for k in (1, 2, 3, 5, 6, 7, 8)},
}


@pytest.mark.parametrize("which", PAIRS)
def test_neighbours_are_uncorrelated(which: str) -> None:
    """Of values, of squares and of magnitudes, of a million pairs.

    Broken on purpose: in kernels/loops.py, philox with 0 for the step (step), for examples[i] (example) or for
    `c >> 32` (slice, 2^34 on), walk without job[FIRST] (slice, blocks, lag); in streams/address.py, `if True` for
    `if call == 0` (call), a key without pass_ (pass), path (path) or seed (seed); in kernels/normal.py, one radius for
    all of a block (pairs of a block, lag).
    """
    a, b = (z.double() for z in PAIRS[which]())
    mean = math.sqrt(2 / math.pi)
    for f, variance in (
        (lambda z: z, 1.0),
        (lambda z: z.square() - 1, 2.0),
        (lambda z: z.abs() - mean, 1 - mean**2),
    ):
        score = f(a) @ f(b) / (variance * math.sqrt(len(a)))
        assert abs(score) < SCORE


@pytest.mark.parametrize("which", ["step", "example", "key", "block"])
def test_bits_of_neighbours_are_independent(which: str) -> None:
    """Ones in the XOR of neighbouring words, a million: the worst of 32 positions, 32 times as rare as 1 in 10,000.

    Broken on purpose: in streams/philox.py, ROUNDS = 5 (all), ROUNDS = 6 (example). At 7 it is green.
    """
    number, other = {"step": (1, 2), "example": (1, 2), "key": (0, 1), "block": (0, 1)}[which]
    at = ONE._replace(key=torch.tensor([0, 0]))  # low keys and counters, which differ in a bit or two

    def found(i: int) -> Tensor:
        if which == "step":
            return words(at._replace(step=torch.tensor(i)), N)
        if which == "example":
            return words(at._replace(examples=torch.tensor([i])), N)
        if which == "key":
            return words(at._replace(key=torch.tensor([i, 0])), N)
        return words(at, N, first=4 * i)

    mixed = (found(number) ^ found(other)).flatten()
    for bit in range(32):
        ones = int((mixed >> bit & 1).sum())
        assert abs(ones - len(mixed) / 2) < 4.66 * math.sqrt(len(mixed) / 4)
