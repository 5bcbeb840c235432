"""Token ids as words that people can read."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from ..data import Data, WordEncoder
from ..models.tokens import TokenEncoder, tokenizer_of
from .outputs import padding_of

HIDDEN, UNKNOWN = "[hidden]", "[unknown]"  # where noise has put padding, and where the training part had no such word


def words_of(ids: Tensor, before: Tensor, data: Data) -> list[str]:
    """The words of one text's ids, at the places where it had words before: padding and special tokens are left out.

    Of an encoder that knows no words the ids are shown.
    """
    padding = padding_of(data.encoder)
    special = {padding, *getattr(data.encoder, "special_ids", ())}
    name = _namer(data)
    pairs = zip(ids.tolist(), before.tolist(), strict=True)
    return [HIDDEN if now == padding else name(now) for now, was in pairs if was not in special]


def _namer(data: Data) -> Callable[[int], str]:
    encoder = data.encoder
    if isinstance(encoder, TokenEncoder):
        tokenizer = tokenizer_of(encoder.source)
        return lambda number: str(tokenizer.convert_ids_to_tokens(number))
    if isinstance(encoder, WordEncoder):
        known = dict(enumerate(encoder.words, start=encoder.size - len(encoder.words)))
        return lambda number: known.get(number, UNKNOWN)
    return lambda number: f"#{number}"
