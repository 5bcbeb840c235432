"""Noise in other training loops: `tn.bridges.transformers.NoiseCallback` and `tn.bridges.lightning.NoiseCallback`.

Each is imported when it is first asked for, so that torchnoise itself needs neither library.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from ..errors import nearest

_BRIDGES = ("lightning", "transformers")


def __getattr__(name: str) -> ModuleType:
    if name in _BRIDGES:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"torchnoise.bridges has no {name!r}; {nearest(name, _BRIDGES)}")


def __dir__() -> list[str]:
    return sorted(_BRIDGES)
