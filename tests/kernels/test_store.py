"""Compiled pieces on disk: compiled once, never stale, never trusted blindly, done without where they cannot be kept.

Each process here is fresh: it has imported torchnoise and compiled or loaded nothing.
"""

from __future__ import annotations

import hashlib
import importlib.abc
import importlib.util
import os
import shutil
import stat
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple
from unittest.mock import patch

import pytest
import torch
from cases import same
from draws import Call, at, call, fast, in_fresh_process, in_fresh_processes, slow

import torchnoise as tn
from torchnoise import oracle
from torchnoise.kernels import store
from torchnoise.perturb import perturb

PIECES = 3  # of one kind of noise: a walk, a fill, a combine


class Seen(NamedTuple):
    """What a process saw of a draw."""

    equal: bool
    compiled: int
    slow_calls: int
    numba: bool
    warnings: list[str]


def example() -> Call:
    return call(torch.linspace(-1, 1, 3 * 4099).view(3, 4099), tn.Gaussian(0.3), at(3, (5, 2**32 - 1), 7))


def draw_some(times: int = 2) -> Seen:
    """Draw the same noise some times, and see what happens on the way."""
    compiled, slow_form = 0, oracle.perturb
    wanted = slow(example())

    class Watch(importlib.abc.MetaPathFinder):
        """Sees the compiler imported, which is the only way to it."""

        def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> None:
            nonlocal compiled
            compiled += name == "torchnoise.kernels.compile"

    sys.meta_path.insert(0, Watch())
    with (
        patch.object(oracle, "perturb", wraps=slow_form) as slow_calls,
        warnings.catch_warnings(record=True) as seen,
    ):
        warnings.simplefilter("always")
        equal = [same(perturb(*example()), wanted) for _ in range(times)]
    said = [f"{w.category.__name__}: {w.message}" for w in seen]
    return Seen(all(equal), compiled, slow_calls.call_count, "numba" in sys.modules, said)


COMPILED = Seen(equal=True, compiled=1, slow_calls=0, numba=True, warnings=[])
LOADED = Seen(equal=True, compiled=0, slow_calls=0, numba=False, warnings=[])


def drawn_with(folder: Path, **environment: str) -> Seen:
    """What a fresh process sees whose pieces are kept in a folder."""
    return in_fresh_process(draw_some, TORCHNOISE_CACHE=str(folder), **environment)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pieces of `example`."""
    folder = tmp_path_factory.mktemp("pieces") / "not there yet" / "kernels"
    assert drawn_with(folder) == COMPILED
    return folder


@pytest.fixture
def pieces(full: Path, tmp_path: Path) -> Path:
    """A copy of such a folder, to do something to."""
    return Path(shutil.copytree(full, tmp_path / "copy"))


# -- once --------------------------------------------------------------------------------------------------------------


def test_compiled_once(full: Path) -> None:
    """The second process loads what the first compiled, without importing Numba.

    Broken on purpose: a key that depends on the process, such as one that hashes a function's address.
    """
    before = {p.name: p.stat().st_mtime_ns for p in full.iterdir()}
    assert len(before) == PIECES
    assert drawn_with(full) == LOADED
    assert {p.name: p.stat().st_mtime_ns for p in full.iterdir()} == before


def test_nothing_is_compiled_on_import() -> None:
    """Importing torchnoise loads neither Numba nor LLVM."""
    assert in_fresh_process(loaded_modules) == []


def loaded_modules() -> list[str]:
    return [name for name in ("numba", "llvmlite", "torchnoise.kernels.loops") if name in sys.modules]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_the_folder_belongs_to_its_user(full: Path) -> None:
    """Object code is loaded and run, so nobody else may be able to put any there."""
    assert stat.S_IMODE(full.stat().st_mode) & 0o022 == 0
    for piece in full.iterdir():
        assert stat.S_IMODE(piece.stat().st_mode) & 0o022 == 0


# -- damage ------------------------------------------------------------------------------------------------------------


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def only_the_head(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20])


def garbage(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 20)


def one_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def another_checksum(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(store._MAGIC)] ^= 1
    path.write_bytes(content)


def another_magic(path: Path) -> None:
    path.write_bytes(b"X" + path.read_bytes()[1:])


DAMAGES = [truncate, empty, only_the_head, garbage, one_bit, another_checksum, another_magic]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda d: d.__name__)
def test_a_damaged_file_is_not_read(damage: Callable, pieces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken on purpose: in kernels/store.py, `read` without its checksum."""
    monkeypatch.setenv("TORCHNOISE_CACHE", str(pieces))
    for path in pieces.iterdir():
        assert store.read(path.name)
        damage(path)
        assert store.read(path.name) is None


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def test_damaged_files_are_compiled_anew(pieces: Path) -> None:
    """And the noise is right, and the next process finds them whole; what cannot be replaced is done without."""
    paths = sorted(pieces.iterdir())
    for damage, path in zip((truncate, another_checksum, a_folder), paths, strict=True):
        damage(path)
    assert drawn_with(pieces) == COMPILED
    assert paths[2].is_dir()
    paths[2].rmdir()
    assert drawn_with(pieces) == COMPILED
    assert drawn_with(pieces) == LOADED


# -- where nothing can be kept -----------------------------------------------------------------------------------------


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    """A path under a regular file: compiled in every process, and nothing is said.

    Broken on purpose: `write` without `suppress(OSError)`.
    """
    (tmp_path / "file").write_text("")
    assert drawn_with(tmp_path / "file" / "pieces") == COMPILED


def write_as_nobody(folder: str) -> bytes | None:
    """Keep something in a folder that may not be written to."""
    os.chmod(folder, 0o500)
    if os.geteuid() == 0:
        os.chown(folder, 65534, 65534)
        os.seteuid(65534)
    os.environ["TORCHNOISE_CACHE"] = folder
    with pytest.raises(PermissionError):
        (Path(folder) / "try").write_bytes(b"")
    store.write("name", b"code")
    return store.read("name")


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions of POSIX")
def test_a_folder_that_may_not_be_written_to(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir()
    tmp_path.chmod(0o755)
    assert in_fresh_process(write_as_nobody, str(folder)) is None
    assert list(folder.iterdir()) == []


def test_a_disk_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing half written stays behind."""
    monkeypatch.setenv("TORCHNOISE_CACHE", str(tmp_path))

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.os, "replace", full_disk)
    store.write("name", b"code")
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    monkeypatch.setenv("TORCHNOISE_CACHE", str(tmp_path))
    store.write("name", b"code")
    assert store.read("name") == b"code"
    assert [p.name for p in tmp_path.iterdir()] == ["name"]


# -- never stale -------------------------------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package's sources that the store takes for the package."""
    root = Path(str(tn.__file__)).parent
    copy = Path(shutil.copytree(root, tmp_path / "torchnoise", ignore=shutil.ignore_patterns("__pycache__")))
    monkeypatch.setattr(store, "__file__", str(copy / "kernels" / "store.py"))
    return copy


def surroundings() -> bytes:
    return store._surroundings.__wrapped__()


def test_a_changed_source_gives_another_key(package: Path) -> None:
    """Any file of kernels/ that the CPU runs, and the polynomials. Broken on purpose: a hash of the version only."""
    before = surroundings()
    assert before == surroundings()
    kernels = [p for p in (package / "kernels").glob("*.py") if not p.name.startswith("gpu")]
    for path in [*kernels, *(package / "streams").glob("*.py")]:
        text = path.read_text()
        path.write_text(text + "\n# changed\n")
        assert surroundings() != before, path
        path.write_text(text)
    assert surroundings() == before


def test_another_translator_or_processor_gives_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    from llvmlite import binding

    before = surroundings()
    with monkeypatch.context() as m:
        m.setattr(store, "version", lambda name: "0.0.0")
        assert surroundings() != before
    for name in ("get_host_cpu_name", "get_default_triple"):
        with monkeypatch.context() as m:
            m.setattr(binding, name, lambda: "another")
            assert surroundings() != before
    with monkeypatch.context() as m:
        m.setattr(binding, "get_host_cpu_features", lambda: binding.FeatureMap({"another": True}))
        assert surroundings() != before
    assert surroundings() == before


def test_the_key_holds_the_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    before = store.key("walk", ())
    assert before == store.key("walk", ())
    assert before != store.key("walks", ())
    monkeypatch.setattr(store, "_surroundings", lambda: hashlib.sha256(b"another").digest())
    assert store.key("walk", ()) != before


def module(path: Path, text: str) -> ModuleType:
    """A module made of a text, as if the file had always been like this."""
    path.write_text(text)
    name = path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[name] = made
    exec(compile(text, str(path), "exec"), made.__dict__)
    return made


SOURCE = """
from torchnoise.kernels.scalar import f32, scalar
{imports}
@scalar
def prepare(strength, constants):
    return strength

@scalar
def block(w0, w1, w2, w3, strength):
    return {value}, f32(2.0), f32(3.0), strength
"""
HELPER = "from torchnoise.kernels.scalar import f32, scalar\n\n@scalar\ndef helper():\n    return f32({value})\n"


def test_a_changed_source_of_ones_own_gives_another_key(tmp_path: Path) -> None:
    """The file in which a source's functions stand. Broken on purpose: a key of the functions' names only."""
    keys = []
    for value in ("f32(1.0)", "f32(9.0)"):
        made = module(tmp_path / "source_of_ones_own.py", SOURCE.format(imports="", value=value))
        keys.append(store.key("fill", (made.prepare, made.block)))
    assert None not in keys
    assert keys[0] != keys[1]


def test_a_changed_helper_gives_another_key(tmp_path: Path) -> None:
    """A scalar function that a source imports from another file of one's own is part of its code as well."""
    keys = []
    for value in ("1.0", "9.0"):
        module(tmp_path / "helper_of_ones_own.py", HELPER.format(value=value))
        text = SOURCE.format(imports="from helper_of_ones_own import helper", value="helper()")
        made = module(tmp_path / "source_with_a_helper.py", text)
        keys.append(store.key("fill", (made.prepare, made.block)))
    assert keys[0] is None or keys[0] != keys[1]


CLASS = """
from dataclasses import dataclass
import torch
from torchnoise.combine import Draw
from torchnoise.kernels import Kernel
from torchnoise.kernels.scalar import f32, scalar
from torchnoise.noise import RandomNoise

@scalar
def prepare(strength, constants):
    return strength * f32({value})

@scalar
def block(w0, w1, w2, w3, v):
    return v, v, v, v

@dataclass(frozen=True)
class Constant(RandomNoise):
    def draw(self, words, strength):
        return Draw(torch.full(words.shape, {value}) * strength)

    def kernel(self, combine):
        return Kernel(prepare, block, combine)
"""


def test_a_source_that_is_loaded_again(tmp_path: Path) -> None:
    """In one process, as notebooks reload a module that changed: the new source's noise, not the old one's.

    Broken on purpose: what is kept of a kernel known by its noise's name alone.
    """
    for value in (1.0, 2.0):
        made = module(tmp_path / "constant_of_ones_own.py", CLASS.format(value=value))
        one = call(torch.zeros(2, 9), made.Constant(0.5))
        assert (slow(one) == 0.5 * value).all()
        assert same(fast(one), slow(one))


def test_functions_without_a_file_have_no_key() -> None:
    """Written at a prompt: compiled in every process and never kept."""
    names: dict = {}
    exec(SOURCE.format(imports="", value="f32(1.0)"), names)
    assert store.key("fill", (names["prepare"], names["block"])) is None


# -- several processes at once -----------------------------------------------------------------------------------------


def test_two_processes_at_once(tmp_path: Path) -> None:
    """Both compile into an empty folder, both are right, and nothing but whole pieces stays."""
    for seen in in_fresh_processes(draw_some, [(), ()], TORCHNOISE_CACHE=str(tmp_path)):
        assert seen.equal
        assert seen.slow_calls == 0
        assert seen.warnings == []
    assert len(list(tmp_path.iterdir())) == PIECES
    assert drawn_with(tmp_path) == LOADED


def test_readers_see_all_of_a_piece_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken on purpose: a `write` straight into the place."""
    monkeypatch.setenv("TORCHNOISE_CACHE", str(tmp_path))
    codes = {bytes([i]) * 500_000 for i in range(4)}
    done = threading.Event()

    def write() -> None:
        for _ in range(10):
            for code in codes:
                store.write("name", code)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    begun = False
    while not done.is_set():
        found = store.read("name")
        assert found in codes or (found is None and not begun)
        begun = begun or found is not None
    writer.join()
    assert store.read("name") in codes


# -- without a compiler ------------------------------------------------------------------------------------------------


def draw_without(blocked: str) -> Seen:
    """Where a package cannot be imported."""

    class Blocker(importlib.abc.MetaPathFinder):
        def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> None:
            if name.split(".")[0] == blocked:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    sys.meta_path.insert(0, Blocker())
    seen = draw_some(times=3)
    # other noises, which have pieces of their own, say nothing again
    with warnings.catch_warnings(record=True) as more:
        warnings.simplefilter("always")
        for noise in (tn.Uniform(0.3), tn.Bernoulli(0.3)):
            one = call(torch.ones(2, 9, dtype=torch.float64), noise)
            assert same(perturb(*one), slow(one))
    return seen._replace(warnings=seen.warnings + [str(w.message) for w in more])


@pytest.mark.parametrize("blocked", ["numba", "llvmlite"])
def test_without_a_compiler(blocked: str, tmp_path: Path) -> None:
    """One warning that names what is missing, and the oracle's bits. Broken on purpose: a warning for each piece."""
    seen = in_fresh_process(draw_without, blocked, TORCHNOISE_CACHE=str(tmp_path))
    assert seen.equal
    assert seen.slow_calls == 3
    assert len(seen.warnings) == 1, seen.warnings
    assert seen.warnings[0].startswith("RuntimeWarning: torchnoise: no fast kernel here")
    assert f"No module named '{blocked}" in seen.warnings[0]
    assert list(tmp_path.iterdir()) == []


def draw_from_files_without_numba() -> Seen:
    with patch.dict(sys.modules, {"numba": None}):  # type: ignore[dict-item]
        seen = draw_some()
    return seen._replace(numba=sys.modules.get("numba") is not None)


def test_what_is_on_disk_needs_no_numba(full: Path) -> None:
    assert in_fresh_process(draw_from_files_without_numba, TORCHNOISE_CACHE=str(full)) == LOADED


def test_kernels_can_be_switched_off(full: Path, tmp_path: Path) -> None:
    """TORCHNOISE_KERNELS=0: the slow form, the same bits, and not a word. Broken on purpose: the variable not read."""
    seen = drawn_with(tmp_path, TORCHNOISE_KERNELS="0")
    assert seen == Seen(equal=True, compiled=0, slow_calls=2, numba=False, warnings=[])
    assert list(tmp_path.iterdir()) == []
    assert drawn_with(full, TORCHNOISE_KERNELS="1") == LOADED


# -- where -------------------------------------------------------------------------------------------------------------


def test_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """TORCHNOISE_CACHE first, the user's cache folder else; an empty variable is none."""
    monkeypatch.setenv("TORCHNOISE_CACHE", str(tmp_path))
    assert store.folder() == tmp_path
    monkeypatch.setenv("TORCHNOISE_CACHE", "")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert store.folder() == tmp_path / "xdg" / "torchnoise"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert store.folder() == tmp_path / ".cache" / "torchnoise"


def test_this_process_draws_with_kernels() -> None:
    """What every other test of this folder takes for granted."""
    assert same(fast(example()), slow(example()))
