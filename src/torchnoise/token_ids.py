"""Token ids as people give them: whole numbers, in whatever a tokenizer keeps them."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any

LARGEST_ID = 2**31 - 1


def whole_number(what: str, value: Any, low: int = 0, high: int = LARGEST_ID) -> int:
    """`value` as an int in [low, high], or an error that says what is allowed."""
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None:
        raise TypeError(f"{what} is {value!r}, allowed: a whole number from {low} to {high}")
    if not low <= number <= high:
        raise ValueError(f"{what} is {value!r}, allowed: a whole number from {low} to {high}")
    return number


def token_ids(what: str, values: Any) -> tuple[int, ...]:
    """`values` as a tuple of ids: a tokenizer's all_special_ids, say."""
    if not isinstance(values, Iterable) or isinstance(values, str | bytes):
        raise TypeError(f"{what} is {values!r}, allowed: token ids, such as tokenizer.all_special_ids")
    return tuple(whole_number(f"{what}[{i}]", v) for i, v in enumerate(values))
