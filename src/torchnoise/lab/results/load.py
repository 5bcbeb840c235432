"""Reading a results.json that someone names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .model import SCHEMA_VERSION, Results

FLAG = "--against"


def load_results(path: str | Path, flag: str = FLAG) -> Results:
    """Read a results.json, or the one in a folder.

    Raises:
        ValueError: no such file, not such a file, one of another version, or a broken one; in one line.
    """
    path = Path(path)
    path = path / "results.json" if path.is_dir() else path
    where = f"{flag} {path}"
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ValueError(f"{where}: {reason}, allowed: the results.json of an earlier comparison") from error
    except (ValueError, RecursionError) as error:  # not JSON, or not text at all
        raise ValueError(f"{where}: not JSON ({_line(error)}), allowed: a results.json") from error
    if not isinstance(content, dict) or "schema_version" not in content:
        raise ValueError(f"{where}: JSON, but not of a comparison, allowed: a results.json")
    version = content["schema_version"]
    if version != SCHEMA_VERSION:
        raise ValueError(
            f"{where}: version {_short(version)} of results.json, allowed: {SCHEMA_VERSION}; compare again to renew it"
        )
    return _checked(content, where)


def _checked(content: dict[str, Any], where: str) -> Results:
    from pydantic import ValidationError

    try:
        return Results.model_validate(content)
    except ValidationError as error:
        first, count = error.errors()[0], error.error_count()
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        more = f", and {count - 1} more" if count > 1 else ""
        raise ValueError(f"{where}: {place}: {first['msg']}{more}") from error


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) < 40 else text[:37] + "..."
