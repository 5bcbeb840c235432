"""Texts as the ids of a Transformers tokenizer."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

LONGEST = 128  # tokens of a text that are kept, at most


@contextmanager
def quiet() -> Iterator[Any]:
    """The library, without its progress bars and remarks inside."""
    import transformers

    log, hub = transformers.utils.logging, logging.getLogger("huggingface_hub")
    before, bars, hub_before = log.get_verbosity(), log.is_progress_bar_enabled(), hub.level
    log.set_verbosity_error()
    log.disable_progress_bar()
    hub.setLevel(logging.CRITICAL)  # of each retry
    try:
        yield transformers
    finally:
        log.set_verbosity(before)
        hub.setLevel(hub_before)
        if bars:
            log.enable_progress_bar()


@functools.cache
def tokenizer_of(source: str) -> Any:
    """The model's tokenizer, read once in a process."""
    with quiet() as transformers:
        return transformers.AutoTokenizer.from_pretrained(source, trust_remote_code=False)


@dataclass(frozen=True)
class TokenEncoder:
    """Texts as a tokenizer's ids: int64 [N, tokens], `padding` where a text has ended.

    size: how many ids there are;  special_ids: those that are no words;  mask_id: of the token that hides one.
    """

    source: str
    padding: int
    size: int
    special_ids: tuple[int, ...]
    mask_id: int | None
    length: int = LONGEST

    @classmethod
    def of(cls, source: str) -> TokenEncoder:
        """The encoder of a model's tokenizer."""
        tokenizer = tokenizer_of(source)
        # models that only continue texts have no padding; what ends a text serves
        padding = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        if padding is None:
            raise ValueError("its tokenizer has neither padding nor an end of text, allowed: one with either")
        special = tuple(sorted({*tokenizer.all_special_ids, padding}))
        length = min(LONGEST, tokenizer.model_max_length)
        return cls(source, padding, len(tokenizer), special, tokenizer.mask_token_id, length)

    def __call__(self, texts: Sequence[str]) -> Tensor:
        tokenizer = tokenizer_of(self.source)
        rows = tokenizer(list(texts), truncation=True, max_length=self.length, return_attention_mask=False)["input_ids"]
        ids = torch.full((len(rows), max(1, *map(len, rows))), self.padding)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(row, dtype=torch.int64)
        return ids
