"""Philox and the address: known answers, independent implementations, and the place of every field. Law 9."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from torchnoise.streams import Address, philox, subkey, words
from torchnoise.streams.address import call_words, key_for_call

M0, M1, W0, W1 = 0xD2511F53, 0xCD9E8D57, 0x9E3779B9, 0xBB67AE85
word = st.integers(0, 2**32 - 1)


def by_hand(counter: list[int], key: list[int]) -> list[int]:
    """Philox4x32-10 in Python's own integers, written from the paper's figure: the oracle's oracle."""
    c, k = list(counter), list(key)
    for _ in range(10):
        p0, p1 = M0 * c[0], M1 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 % 2**32, (p0 >> 32) ^ c[3] ^ k[1], p0 % 2**32]
        k = [(k[0] + W0) % 2**32, (k[1] + W1) % 2**32]
    return c


def ours(counter: list[int], key: list[int]) -> list[int]:
    return philox(tuple(torch.tensor(c) for c in counter), torch.tensor(key)).tolist()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("counter", "key", "answer"),
    [
        ([0] * 4, [0] * 2, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ([2**32 - 1] * 4, [2**32 - 1] * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_known_answers(counter: list[int], key: list[int], answer: str) -> None:
    """Random123's vectors. Broken on purpose: nine rounds; the two multipliers exchanged."""
    assert " ".join(f"{w:08x}" for w in ours(counter, key)) == answer
    assert " ".join(f"{w:08x}" for w in by_hand(counter, key)) == answer


@given(st.lists(word, min_size=4, max_size=4), st.lists(word, min_size=2, max_size=2))
@settings(max_examples=200, deadline=None)
def test_equals_an_independent_implementation(counter: list[int], key: list[int]) -> None:
    assert ours(counter, key) == by_hand(counter, key)


def test_equals_numpys_philox_where_its_layout_allows() -> None:
    """NumPy has Philox4x64, another width: its word layout is checked by the same hand-written rounds at 64 bits."""
    key, counter = [7, 11], [5, 0, 3, 9]
    bits = np.random.Philox(key=np.array(key, np.uint64), counter=np.array(counter, np.uint64))
    found = bits.random_raw(4).tolist()
    m0, m1, w0, w1 = 0xD2E7470EE14C6C93, 0xCA5A826395121157, 0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B
    c, k, top = [6, 0, 3, 9], list(key), 2**64  # NumPy counts up before it draws
    for _ in range(10):
        p0, p1 = m0 * c[0], m1 * c[2]
        c = [(p1 >> 64) ^ c[1] ^ k[0], p1 % top, (p0 >> 64) ^ c[3] ^ k[1], p0 % top]
        k = [(k[0] + w0) % top, (k[1] + w1) % top]
    assert found == c


@given(st.lists(word, min_size=4, max_size=4), st.lists(word, min_size=2, max_size=2))
@settings(max_examples=20, deadline=None)
def test_the_form_for_compilers_has_the_same_bits(counter: list[int], key: list[int]) -> None:
    """Halves of 16 bits, which torch.compile gets, against wrapping products."""
    from unittest.mock import patch

    plain = ours(counter, key)
    with patch("torch.compiler.is_compiling", lambda: True):
        assert ours(counter, key) == plain


def test_where_each_field_of_an_address_goes() -> None:
    """Element e of example n in step t is word e mod 4 of block (e // 4, t, n); blocks beyond 2^32 carry into c1."""
    address = Address(torch.tensor([3, 4]), torch.tensor(17), torch.tensor([5, 2**32 - 1]))
    found = words(address, 10)
    assert found.shape == (2, 3, 4)
    for row, example in enumerate((5, 2**32 - 1)):
        for block in range(3):
            assert found[row, block].tolist() == by_hand([block, 0, 17, example], [3, 4])
    far = words(address, 6, first=4 * 2**32 - 2)
    assert far.shape == (2, 2, 4)
    assert far[0, 0].tolist() == by_hand([2**32 - 1, 0, 17, 5], [3, 4])
    assert far[0, 1].tolist() == by_hand([0, 1, 17, 5], [3, 4])
    assert words(address, 0).shape == (2, 0, 4)


def test_keys_are_stable() -> None:
    """A stored run must find its noise again: these numbers are part of stream version 1."""
    assert subkey(0, "encoder.0", "activation.output/0") == 0x8326DE67F008EE0C
    assert subkey(2**64 - 1, "", "input/0", "active.3") == 0xB8A686F9801BE258
    assert call_words(0) == (0, 0)
    assert call_words(1) == (0x100B05E5, 0x5692161D)


def test_calls_have_keys_of_their_own() -> None:
    key = torch.tensor([1, 2])
    keys = {tuple(key_for_call(key, c).tolist()) for c in range(1000)}
    assert len(keys) == 1000
    assert all(0 <= w < 2**32 for k in keys for w in k)
