"""`load`: data by name, split, with the test part sealed."""

from __future__ import annotations

from pathlib import Path

from .asked import Asked
from .delimited import part_files, read_parts, read_table, separator_of
from .examples import Examples, finished
from .idx import is_idx, load_idx
from .parts import Data, SealedTest
from .tabular import examples_of

ALLOWED = (
    "digits, sklearn:NAME, a file .csv, .tsv (or .gz), .parquet or .npz, MNIST's files, a folder of images with one "
    "sub-folder a class, a folder with train.tsv and test.tsv, hf:NAME, package.module:function"
)


def load(
    data: str,
    *,
    target: str | None = None,
    text: str | None = None,
    group: str | None = None,
    time: str | None = None,
    limit: int | None = None,
    seed: int = 0,
    shares: tuple[float, float, float] = (0.5, 0.2, 0.3),
) -> tuple[Data, SealedTest]:
    """What `--data` names, in training and validation parts, and the sealed test part. The same seed gives the same.

    Args:
        data: `digits`; `sklearn:NAME`; a table (.csv, .tsv, both .gz or not, .parquet); .npz; MNIST's files in IDX
            format; a folder of images with a sub-folder for each class; a folder with train.tsv, dev.tsv and test.tsv
            (or .csv); `hf:NAME` or `hf:NAME/CONFIG`; `package.module:function`.
        target: the column to learn, by its name or its number from 1. Tables need it.
        text: the column of texts to learn from, as they are.
        group: a column whose rows stay in one part. It is not learned from.
        time: a column of dates or numbers: the oldest rows are trained on, the newest are the test. It is not learned
            from.
        limit: at most so many examples in all, chosen at random.
        seed: of the choice and the split.
        shares: of training, validation and test part, where the data do not come in parts.

    Raises:
        ValueError: data that cannot be read or learned from; one line.
    """
    asked = Asked(data, target, text, group, time, limit, seed, shares)
    if data.startswith("hf:"):
        from .hub import load_hub

        return finished(load_hub(asked), asked)
    path = Path(data)
    if ":" in data and not data.startswith("sklearn:") and not path.exists():
        from .code import load_code

        return load_code(asked)
    examples = _table(path, asked)
    if examples is None:
        examples = _arrays(path, asked)
    return finished(examples, asked)


def _table(path: Path, asked: Asked) -> Examples | None:
    """Data with columns, which flags name; None for other kinds."""
    if path.name.lower().endswith((".parquet", ".pq")):
        from .parquet import read_parquet

        asked.want_target()
        return examples_of(read_parquet(path), asked)
    if separator_of(path) is not None and not path.is_dir():
        return examples_of(read_table(path, asked.want_target()), asked)
    files = part_files(path) if path.is_dir() else {}
    if "train" in files:
        return examples_of(read_parts(files, asked.want_target()), asked)
    return None


def _arrays(path: Path, asked: Asked) -> Examples:
    """Data without columns."""
    known = asked.data == "digits" or asked.data.startswith("sklearn:") or path.exists()
    if known:
        asked.refuse("target", "text", "group", "time")
    if asked.data == "digits" or asked.data.startswith("sklearn:"):
        from .shipped import load_shipped

        return load_shipped(asked.data.removeprefix("sklearn:"))
    if path.is_dir():
        return _folder(path, asked)
    if path.is_file() and path.suffix.lower() == ".npz":
        from .npz import load_npz

        return load_npz(path)
    if path.is_file() and is_idx(path):
        return load_idx(path)
    what = "another kind of file" if path.exists() else "no such file"
    raise ValueError(f"--data {asked.data}: {what}, allowed: {ALLOWED}")


def _folder(path: Path, asked: Asked) -> Examples:
    if any(is_idx(file) for file in path.iterdir()):
        return load_idx(path)
    from .images import image_parts, load_images

    parts = image_parts(path)
    if any(parts.values()):
        return load_images(path, parts)
    raise ValueError(
        f"--data {asked.data}: allowed in a folder: MNIST's files, images in one sub-folder a class, or train.tsv and "
        "test.tsv (or .csv)"
    )
