"""Words in a plan file: which are numbers, which are text. The rules are YAML 1.2's, with decimal numbers only.

YAML 1.1, which PyYAML reads by itself, takes 1e-4 for text, 010 for eight, 1:30 for ninety and no for false.
"""

from __future__ import annotations

import math
import re
from typing import Any

WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
NUMBERS: tuple[tuple[re.Pattern, type], ...] = (
    (re.compile(r"[-+]?(?:0|[1-9][0-9]*)"), int),
    (re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"), float),
)
LONGEST_NUMBER = 300  # characters; whole numbers of so many digits still fit into a float
LONGEST_SHOWN = 40


def scalar(word: str) -> Any:
    """What a word without quotes stands for.

    >>> [scalar(w) for w in ("1e-4", "12", "true", "", "010", "no")]
    [0.0001, 12, True, None, '010', 'no']
    """
    if word in WORDS:
        return WORDS[word]
    if len(word) <= LONGEST_NUMBER:
        for pattern, kind in NUMBERS:
            if pattern.fullmatch(word) and not math.isinf(value := kind(word)):
                return value
    return word


def shown(value: Any) -> str:
    """A value as an error shows it: short, and on one line.

    >>> [shown(v) for v in (None, True, 0.5, "high", [1], {})]
    ['empty', 'true', '0.5', "'high'", 'a list', 'a mapping']
    """
    fixed = {"NoneType": "empty", "list": "a list", "dict": "a mapping", "bool": str(value).lower()}
    text = fixed.get(type(value).__name__) or repr(value)
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 4] + "..." + text[-1]


def label(key: str) -> str:
    """A key as paths show it."""
    return key if len(key) <= LONGEST_SHOWN else key[: LONGEST_SHOWN - 3] + "..."
