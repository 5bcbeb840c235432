"""Compiled pieces on disk, so that a machine compiles each of them once.

A file is named by a hash of everything that its code depends on: the source of this package and of the piece's own
functions, the versions of what translates them, and the processor. So a stale file is never found. A file that is
truncated or damaged does not match its checksum and is compiled anew; a folder that cannot be written is done without.

TORCHNOISE_CACHE names the folder; the default is the user's cache folder.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

from .scalar import is_scalar

_MAGIC = b"torchnoise piece\n"


def folder() -> Path:
    """Where compiled pieces are kept."""
    if given := os.environ.get("TORCHNOISE_CACHE"):
        return Path(given)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "torchnoise"


@cache
def _surroundings() -> bytes:
    """A hash of what every piece depends on."""
    from llvmlite import binding

    found = hashlib.sha256()
    here = Path(__file__).parent
    for source in sorted([*here.glob("*.py"), *(here.parent / "streams").glob("*.py")]):  # there are the polynomials
        if not source.name.startswith("gpu"):
            found.update(source.read_bytes())
    parts = [version("numba"), version("llvmlite"), sys.version, binding.get_default_triple()]
    parts += [binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten()]
    parts += [os.environ.get(f"NUMBA_CPU_{what}", "") for what in ("NAME", "FEATURES")]  # a processor chosen by hand
    for part in parts:
        found.update(part.encode() + b"\0")
    return found.digest()


def key(name: str, functions: Iterable[Callable]) -> str | None:
    """The name of a piece's file; None where the source of one of its functions cannot be read."""
    found = hashlib.sha256(_surroundings() + name.encode())
    try:
        for function in sorted(reachable(functions), key=lambda f: (f.__module__, f.__qualname__)):
            file = inspect.getsourcefile(function)
            found.update(f"{function.__qualname__}\0".encode() + Path(file or "").read_bytes())
    except (TypeError, OSError):
        return None
    return found.hexdigest()[:40]


def reachable(functions: Iterable[Callable]) -> set[Callable]:
    """These functions, and all scalar functions that they call."""
    found: set[Callable] = set()
    waiting = list(functions)
    while waiting:
        function = waiting.pop()
        if function not in found:
            found.add(function)
            named = (function.__globals__.get(name) for name in function.__code__.co_names)
            waiting += [thing for thing in named if callable(thing) and is_scalar(thing)]
    return found


def read(name: str) -> bytes | None:
    """The object code under this name, if it is there and whole."""
    try:
        content = (folder() / name).read_bytes()
    except OSError:
        return None
    head, checksum, code = content[: len(_MAGIC)], content[len(_MAGIC) : len(_MAGIC) + 32], content[len(_MAGIC) + 32 :]
    return code if head == _MAGIC and hashlib.sha256(code).digest() == checksum else None


def write(name: str, code: bytes) -> None:
    """Keep object code under this name, in one move: other processes see all of it or nothing."""
    with suppress(OSError):
        folder().mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, temporary = tempfile.mkstemp(dir=folder())
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_MAGIC + hashlib.sha256(code).digest() + code)
            os.replace(temporary, folder() / name)
        except OSError:
            os.unlink(temporary)
