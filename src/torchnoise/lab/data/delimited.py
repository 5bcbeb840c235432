"""CSV and TSV files, gzipped or not, with a header or without."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from .split import TEST, TRAIN, VALIDATION
from .table import MISSING, Table, cell, named_columns

COMMA, TAB = ",", "\t"
ENDINGS = {f"{name}{gz}": separator for name, separator in ((".csv", COMMA), (".tsv", TAB)) for gz in ("", ".gz")}
_NAMES = {COMMA: "commas", TAB: "tabs"}
_OTHERS = (";", TAB, "|", COMMA)  # that people use in place of them
PART_NAMES = {"train": TRAIN, "dev": VALIDATION, "validation": VALIDATION, "valid": VALIDATION, "val": VALIDATION}
PART_NAMES |= {"test": TEST}


def separator_of(path: Path) -> str | None:
    """What separates cells in such a file, by its name; None for other kinds of file."""
    return next((s for ending, s in ENDINGS.items() if path.name.lower().endswith(ending)), None)


def read_lines(path: Path) -> list[list[str]]:
    """The cells of each line, as many as the first one has.

    Raises:
        ValueError: another separator, a row of another length (with its line), or no text in UTF-8.
    """
    separator = separator_of(path) or COMMA
    # tabs do not need quotes, and texts that begin with one would swallow what follows
    quoting: Literal[0, 3] = csv.QUOTE_NONE if separator == TAB else csv.QUOTE_MINIMAL
    rows: list[list[str]] = []
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8-sig", newline="")
            if path.suffix.lower() == ".gz"
            else path.open(encoding="utf-8-sig", newline="") as file
        ):
            reader = csv.reader(file, delimiter=separator, quoting=quoting, skipinitialspace=separator == COMMA)
            for cells in reader:
                if not cells:
                    continue
                if not rows:
                    _same_separator(path, cells, separator)
                elif len(cells) != len(rows[0]):
                    raise ValueError(
                        f"{path}:{reader.line_num}: {len(cells)} cells, allowed: {len(rows[0])}, as in the header"
                    )
                rows.append([_unquoted(c) for c in cells] if separator == TAB else cells)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as problem:
        raise ValueError(f"{path}: {getattr(problem, 'strerror', None) or problem}") from None
    return rows


def _same_separator(path: Path, first: list[str], separator: str) -> None:
    other = next((s for s in _OTHERS if len(first) == 1 and s in first[0]), None)
    # one text a line may have commas
    if other is not None and not (separator == TAB and other == COMMA and " " in first[0].strip()):
        raise ValueError(
            f"{path}: the header has {other!r} between its names, allowed: {_NAMES[separator]}, in every line"
        )


def _unquoted(text: str) -> str:
    """A cell without the quotes that some programs put around it."""
    inner = text[1:-1].replace('""', "\0")
    return inner.replace("\0", '"') if len(text) > 1 and text[0] == text[-1] == '"' and '"' not in inner else text


def has_header(rows: list[list[str]], target: str | None) -> bool:
    """Whether the first line is a header. It is, unless `target` is the number of a column that has no such name, and
    in which the first cell is of the same kind as those below: a number among numbers, or a word that comes again."""
    first = [text.strip() for text in rows[0]]
    if target is None or target in first or not target.isdecimal() or not 1 <= int(target) <= len(first):
        return True
    at = int(target) - 1
    below = {row[at].strip() for row in rows[1:]}
    if first[at] in below:
        return False
    numbers = all(_is_number(text) for text in below if text.lower() not in MISSING)
    return not (numbers and _is_number(first[at]))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _table(name: str, rows: list[list[str]], header: bool) -> Table:
    if not rows:
        raise ValueError(f"{name}: it is empty, and so the first line is no header of different names")
    names = [text.strip() for text in rows[0]] if header else [f"column {i + 1}" for i in range(len(rows[0]))]
    body = rows[1:] if header else rows
    columns = [[cell(text) for text in column] for column in zip(*body, strict=True)] if body else [[] for _ in names]
    return named_columns(name, names, columns, said="" if header else "without a header")


def read_table(path: Path, target: str | None = None) -> Table:
    """A CSV or TSV file.

    Raises:
        ValueError: no header of different names, no rows, or what `read_lines` says.
    """
    rows = read_lines(path)
    return _table(path.name, rows, not rows or has_header(rows, target))


def part_files(folder: Path) -> dict[str, Path]:
    """The files train.*, dev.* and test.* of a folder, by their part."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        part = path.name.lower().partition(".")[0]
        if separator_of(path) is not None and part in PART_NAMES:
            if part in found:
                raise ValueError(f"{folder}: {found[part].name} and {path.name}, allowed: one of them")
            found[part] = path
    return found


def read_parts(files: dict[str, Path], target: str | None = None) -> Table:
    """Files of one table, each of them a part.

    Raises:
        ValueError: columns that differ, or what `read_table` says.
    """
    lines = {part: read_lines(path) for part, path in files.items()}
    header = all(not rows or has_header(rows, target) for rows in lines.values())
    tables = {part: _table(path.name, lines[part], header) for part, path in files.items()}
    first = tables["train"] if "train" in tables else next(iter(tables.values()))
    for table in tables.values():
        if table.names != first.names:
            raise ValueError(f"{table.name}: other columns than {first.name}, allowed: the same in the same order")
    return joined(f"{', '.join(path.name for path in files.values())}", list(tables), list(tables.values()))


def joined(name: str, parts: Sequence[str], tables: Sequence[Table]) -> Table:
    """Tables with the same columns, one below the other."""
    columns = tuple([c for cells in alike for c in cells] for alike in zip(*(t.columns for t in tables), strict=True))
    at = tuple(i for table in tables for i in table.at)
    given = np.concatenate([np.full(len(t), PART_NAMES[part]) for part, t in zip(parts, tables, strict=True)])
    return replace(tables[0], name=name, columns=columns, at=at, given=given)
