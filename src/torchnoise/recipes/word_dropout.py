"""Word dropout: tokens replaced by a mask's token."""

from __future__ import annotations

from collections.abc import Sequence

from ..plan import Injection
from ..sites import Tokens
from ..sources import Bernoulli


def word_dropout(p: float, mask_id: int, special: Sequence[int] = ()) -> Injection:
    """Each token id becomes `mask_id` with probability p, but special tokens and padding.

    The paper tries p from 0 to 1 in a decoder, with the id of the unknown word. With a Transformers tokenizer:
    `word_dropout(0.1, tokenizer.mask_token_id, tokenizer.all_special_ids)`.

    Args:
        p: from 0 to 1.
        mask_id: the id that takes a token's place.
        special: ids that are never replaced.

    >>> print(word_dropout(0.1, mask_id=103, special=(101, 102)))
    Bernoulli(0.1, combine='replace', value=103) at Tokens(special=(101, 102))

    Source: Bowman et al., "Generating sentences from a continuous space", CoNLL 2016, section 3.1.
    """
    return Injection(Bernoulli(p, combine="replace", value=mask_id), at=Tokens(special=tuple(special)))
