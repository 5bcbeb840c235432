"""Plans as YAML files: read.py from text to a Plan, write.py back, schema.py for editors.

The kinds that a file may name are found, not listed: see kinds.py. A file is data: reading one imports nothing that it
names, and runs nothing. Nothing but errors is imported before a plan is read or written.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .problems import PlanError as PlanError
from .problems import Problem as Problem


def part(name: str) -> Any:
    """A module of this package. Raises ModuleNotFoundError with a line that says what to install."""
    try:
        return import_module(f"{__name__}.{name}")
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in ("yaml", "pydantic", "pydantic_core"):
            raise
        text = f"plan files need {missing.name}, which is not installed; pip install 'torchnoise[lab]'"
        raise ModuleNotFoundError(text, name=missing.name) from None
