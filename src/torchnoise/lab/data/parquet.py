"""Parquet files, by pyarrow."""

from __future__ import annotations

from pathlib import Path

from .table import Table, table_of


def read_parquet(path: Path) -> Table:
    """A Parquet file.

    Raises:
        ValueError: pyarrow is not installed, or the file is none.
    """
    try:
        from pyarrow import ArrowException, parquet, timestamp, types
    except ModuleNotFoundError:
        raise ValueError(f'{path}: for Parquet files, pip install "torchnoise[parquet]"') from None
    try:
        found = parquet.read_table(path)
    except (OSError, ArrowException) as problem:
        raise ValueError(f"{path}: {' '.join(str(problem).split())}") from None
    names = found.column_names
    if len(set(names)) < len(names):
        raise ValueError(f"{path.name}: the first line is no header of different names")
    kept = [n for n in names if not n.startswith("__index_level_")]  # pandas' row numbers
    columns = {}
    for name in kept:
        column = found.column(name)
        if types.is_timestamp(column.type):  # Python's dates end at microseconds
            column = column.cast(timestamp("us", column.type.tz), safe=False)
        columns[name] = column.to_pylist()
    return table_of(path.name, columns)
