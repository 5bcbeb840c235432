"""Data sets of the Hugging Face hub, by its `datasets` library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..user_code import one_line
from .arrays import examples_of_arrays
from .asked import Asked, listed
from .delimited import PART_NAMES
from .examples import Examples
from .images import as_pixels
from .split import TRAIN
from .table import Table, table_of
from .tabular import examples_of

PREFIX = "hf:"
_TEXTS = ("text", "sentence", "content", "review", "question", "tweet", "document")
_LABELS = ("label", "labels", "target", "class", "fine_label", "coarse_label", "category", "y")


def load_hub(asked: Asked) -> Examples:
    """`hf:NAME` or `hf:NAME/CONFIG`: texts, images or a table, in the parts that they come in.

    Raises:
        ValueError: the library is missing, the hub is not reached, or no column can be told to be the one to learn.
    """
    name = asked.data.removeprefix(PREFIX)
    parts = _parts(_fetched(name), asked.data)
    features = _features(next(iter(parts.values())), asked.data)
    label = _named(asked, "target", features, _label(features))
    picture = next((n for n, feature in features.items() if _type(feature) == "Image"), None)
    if asked.text is None and picture is not None:
        asked.refuse("group", "time")
        return _pictures(asked, parts, picture, label, features[label])
    text = _named(asked, "text", features, _text(features, label))
    table = _table(asked.data, parts, features)
    if text is None:
        return examples_of(table, replace(asked, target=label))
    return examples_of(table, replace(asked, target=label, text=text))


def _fetched(name: str) -> Any:
    """What the library gives for NAME, or NAME/CONFIG."""
    try:
        from datasets import load_dataset
    except ModuleNotFoundError:
        raise ValueError(f'--data {PREFIX}{name}: for data of the hub, pip install "torchnoise[hub]"') from None
    pieces = name.split("/")
    if not 1 <= len(pieces) <= 3 or not all(pieces):
        raise ValueError(f"--data {PREFIX}{name}, allowed: {PREFIX}NAME, {PREFIX}OWNER/NAME, with /CONFIG or without")
    # of two pieces, the first may be the owner, or the second the configuration
    ways: list[tuple[str, ...]] = [(name,)] if len(pieces) < 3 else [("/".join(pieces[:2]), pieces[2])]
    ways += [(pieces[0], pieces[1])] if len(pieces) == 2 else []
    first: Exception | None = None
    for way in ways:
        try:
            return load_dataset(*way)
        except Exception as error:  # the hub, the network and the library have many
            first = first or error
            if "Connection" in type(error).__name__:  # which takes a minute of retries, and would again
                break
    assert first is not None
    raise ValueError(f"--data {PREFIX}{name}: {one_line(first)}")


def _parts(found: Any, data: str) -> dict[str, Any]:
    """The parts that are known by their name; all of it for training where it has one piece."""
    pieces = dict(found) if isinstance(found, Mapping) else {"train": found}
    known = {name: piece for name, piece in pieces.items() if name in PART_NAMES and len(piece)}
    if "train" not in known:
        raise ValueError(f"--data {data}: it has the parts {listed(list(pieces))}, allowed: train, validation, test")
    return known


def _features(part: Any, data: str) -> dict[str, Any]:
    if not getattr(part, "features", None):
        raise ValueError(f"--data {data}: it does not say what its columns are")
    return dict(part.features)


def _type(feature: Any) -> str:
    """The kind of a column: ClassLabel, Image, Value (of dtype), ..."""
    return type(feature).__name__


def _label(features: Mapping[str, Any]) -> str | None:
    return next((n for n in features if _type(features[n]) == "ClassLabel"), None) or next(
        (n for n in _LABELS if n in features), None
    )


def _text(features: Mapping[str, Any], label: str) -> str | None:
    """The column of texts, where one is called so, or only one holds words."""
    strings = [n for n, f in features.items() if "string" in str(getattr(f, "dtype", "")) and n != label]
    return next((n for n in _TEXTS if n in strings), None) or (strings[0] if len(strings) == 1 else None)


def _named(asked: Asked, flag: str, features: Mapping[str, Any], guess: str | None) -> Any:
    wanted = getattr(asked, flag)
    if wanted is None:
        if guess is None and flag == "target":
            raise ValueError(f"--data {asked.data}: --target names the column to learn: {listed(list(features), 8)}")
        return guess
    return Table(asked.data, tuple(features), (), ()).named(flag, wanted)


def _table(name: str, parts: Mapping[str, Any], features: Mapping[str, Any]) -> Table:
    """All columns of all parts. A class is called by its name; -1 says that it is not told."""
    values = {column: [v for part in parts.values() for v in part[column]] for column in features}
    given = np.repeat([PART_NAMES[name] for name in parts], [len(part) for part in parts.values()])
    table = table_of(name, values, given if (given != TRAIN).any() else None)
    # by their names as they are: a class may be called "none"
    classes = {column: feature.names for column, feature in features.items() if _type(feature) == "ClassLabel"}
    columns = [
        [None if v is None or v < 0 else str(classes[column][v]) for v in values[column]]
        if column in classes
        else cells
        for column, cells in zip(table.names, table.columns, strict=True)
    ]
    return replace(table, columns=tuple(columns))


def _pictures(asked: Asked, parts: Mapping[str, Any], picture: str, label: str, feature: Any) -> Examples:
    table = _table(asked.data, parts, {label: feature})
    cells = table.column(label)
    kept = np.array([i for i, cell in enumerate(cells) if cell is not None], dtype=np.int64)
    images = ((asked.data, image) for part in parts.values() for image in part[picture])
    pixels, said = as_pixels(images)
    y = [cells[i] for i in kept]
    classes = list(feature.names) if _type(feature) == "ClassLabel" else sorted({str(c) for c in y})
    codes = np.array([classes.index(str(c)) for c in y])
    given = None if table.given is None else table.given[kept]
    examples = examples_of_arrays(asked.data, pixels[kept], codes, given=given, classes=classes)
    return replace(examples, said=f"{examples.said}; {said}")
