"""Data that a function of the user's gives: `package.module:function`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ..seeded import seeded
from ..user_code import look_up, needs_arguments, one_line
from . import split
from .arrays import examples_of_arrays
from .asked import Asked
from .examples import Examples, finished
from .parts import Data, Part, SealedTest
from .table import table_of
from .tabular import examples_of

_ALLOWED = "x and y (arrays, tensors, or texts and labels), a table by column (with --target), or a Data"


def load_code(asked: Asked) -> tuple[Data, SealedTest]:
    """What the function gives, split where it is not yet.

    Raises:
        ValueError: no such function, an error in it, or something else than data; one line.
    """
    found = call(asked.data)
    data, test = found if isinstance(found, tuple) and len(found) == 2 else (found, None)
    if isinstance(data, Data):
        asked.refuse("target", "text", "group", "time")
        return _whole(data, test, asked)
    return finished(_examples(found, asked), asked)


def call(text: str) -> Any:
    """What `package.module:function` returns when called without arguments. The current folder is looked in, too."""
    try:
        found = look_up(text)
    except LookupError as error:
        raise ValueError(f"--data {error.args[0]}") from error
    if not callable(found) or needs_arguments(found):
        raise ValueError(f"--data {text}: allowed: a function without arguments, which returns {_ALLOWED}")
    try:
        with seeded(0):  # what it draws from torch is the same in the next run
            return found()
    except Exception as error:  # the function is the user's: anything can happen in it
        raise ValueError(f"--data {text}: calling it gave {one_line(error)}") from error


def _examples(found: Any, asked: Asked) -> Examples:
    columns = getattr(found, "columns", None)
    if columns is not None and hasattr(found, "__getitem__"):  # pandas, polars and the like
        return examples_of(table_of(asked.data, {str(c): list(found[c]) for c in columns}), asked)
    if isinstance(found, Mapping) and not set(found) <= {"x", "y"}:
        return examples_of(table_of(asked.data, dict(found)), asked)
    pair = (found["x"], found["y"]) if isinstance(found, Mapping) and len(found) == 2 else found
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise ValueError(f"--data {asked.data}: it returns {type(found).__name__}, allowed: {_ALLOWED}")
    asked.refuse("target", "text", "group", "time")
    x, y = map(_array, pair)
    return examples_of_arrays(asked.data, x, y)


def _array(values: Any) -> Any:
    """An array of a tensor; lists of numbers as arrays; texts as they are."""
    if isinstance(values, torch.Tensor):
        return values.detach().cpu().numpy()
    if isinstance(values, (list, tuple)) and values and isinstance(values[0], str):
        return values
    try:
        return np.asarray(values)
    except ValueError:
        raise ValueError("rows of different lengths, allowed: rows of one shape") from None


def _whole(data: Data, test: Any, asked: Asked) -> tuple[Data, SealedTest]:
    """A Data that is split already. Its test part comes beside it, or is taken from its training part."""
    if isinstance(test, SealedTest):
        return data, test
    if isinstance(test, Part):
        return data, SealedTest(test)
    if test is not None:
        raise ValueError(
            f"--data {asked.data}: beside Data it returns {type(test).__name__}, allowed: a Part for the test"
        )
    y = data.train.y.numpy()
    strata = y if data.task.classes is not None else np.zeros(len(y))
    share = asked.shares[2] / (asked.shares[0] + asked.shares[2])
    draw = np.random.default_rng([asked.seed % (1 << 63), len(y), 3])
    train, _, chosen = split.at_random(strata, (1.0 - share, 0.0, share), draw)
    said = f"{data.split_by}, the test part at random from the training part"
    kept = replace(data, train=_rows(data.train, train), split_by=said)
    return kept, SealedTest(_rows(data.train, chosen))


def _rows(part: Part, rows: np.ndarray) -> Part:
    texts = None if part.texts is None else tuple(part.texts[row] for row in rows)
    at = torch.from_numpy(rows)
    return Part(part.x[at], part.y[at], texts)
