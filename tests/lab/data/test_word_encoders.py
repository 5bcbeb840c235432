"""Texts as numbers."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer

from torchnoise.lab.data import TfidfEncoder, WordEncoder
from torchnoise.lab.data.words import LONGEST

TEXTS = ["A fine film, a fine day", "a poor film", "Ünder the sea: 5 fish", "the the the", "fine"]
OTHER = ["the film of the year", "", "nothing known here 42", "FINE!"]


def test_tfidf_is_scikit_learns_and_the_formula() -> None:
    """Of texts that it did not learn from, too; by hand for one word.

    Broken on purpose: counts without the logarithm; weights of the new texts.
    """
    encoder = TfidfEncoder.learned(TEXTS)
    learned = TfidfVectorizer(token_pattern=r"\w+", sublinear_tf=True).fit(TEXTS)
    for texts in (TEXTS, OTHER):
        wanted = learned.transform(texts).toarray() * math.sqrt(len(encoder.words))
        np.testing.assert_allclose(encoder(texts).numpy(), wanted, atol=1e-6)
    assert encoder(TEXTS).dtype == torch.float32
    row = dict(zip(encoder.words, encoder(["the fine the"])[0].tolist(), strict=True))
    the, fine = (1 + math.log(2)) * (math.log(6 / 3) + 1), math.log(6 / 3) + 1
    assert row["the"] == pytest.approx(the / math.hypot(the, fine) * math.sqrt(len(row)), rel=1e-5)
    assert encoder(TEXTS).square().mean(1).tolist() == pytest.approx([1.0] * 5)
    assert encoder([""]).abs().sum() == 0


def test_tfidf_keeps_the_commonest_words() -> None:
    texts = [" ".join(f"w{i}" for i in range(30 - k)) for k in range(21)]
    encoder = TfidfEncoder.learned(texts, most=10)
    assert set(encoder.words) == {f"w{i}" for i in range(10)}
    with pytest.raises(ValueError, match="no text has a word"):
        TfidfEncoder.learned(["!", "..."])


def test_words_by_number() -> None:
    """Words that come twice, the commonest first; 0 pads, 1 is unknown; the length of nearly all training texts.

    Broken on purpose: unknown words left out, which moves those after them.
    """
    encoder = WordEncoder.learned(TEXTS)
    assert encoder.words == ("the", "a", "fine", "film")  # 4, 3, 3 and 2 times
    assert encoder.length == 7
    ids = encoder(["fine sea , the film", ""])
    assert ids.dtype == torch.int64
    number = {word: i + 2 for i, word in enumerate(encoder.words)}
    assert ids.tolist() == [
        [number["fine"], 1, 1, number["the"], number["film"], 0, 0],
        [1, 0, 0, 0, 0, 0, 0],
    ]
    assert encoder.size == 6
    long = " ".join(f"w{i}" for i in range(300))
    assert WordEncoder.learned([long, long]).length == LONGEST
    assert WordEncoder.learned([long, long])([long]).shape == (1, LONGEST)
    assert len(WordEncoder.learned([long, long], most=50).words) == 50


def test_the_length_is_that_of_most_texts() -> None:
    texts = ["one two"] * 98 + ["x " * 60] * 2
    assert WordEncoder.learned(texts).length == 2


@pytest.mark.parametrize("encoder", [TfidfEncoder.learned(TEXTS), WordEncoder.learned(TEXTS)])
def test_encoders_travel(encoder: TfidfEncoder | WordEncoder) -> None:
    """To worker processes, as plain values."""
    content = pickle.dumps(encoder)
    again = pickle.loads(content)
    assert again == encoder
    assert torch.equal(again(OTHER), encoder(OTHER))
    assert b"sklearn" not in content
