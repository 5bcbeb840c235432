"""Text data on their way into a model."""

from __future__ import annotations

from dataclasses import replace

from ..data import TEXT, Data, Encoder


def texts_of(data: Data) -> tuple[str, ...]:
    """The training texts.

    Raises:
        ValueError: text data that do not hold them.
    """
    if not data.train.texts:
        raise ValueError(f"{data.name} is {TEXT} data whose training part has no texts, allowed: Part(x, y, texts)")
    return data.train.texts


def encoded_head(data: Data, encoder: Encoder | None) -> Data:
    """The first two training examples as a model gets them."""
    first = data.train.first(2)
    return replace(data, train=first if encoder is None else first.encoded(encoder))
