"""Finished work on disk. A comparison that was cut off, however roughly, goes on from what is here."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from .run import Look, Outcome
from .settings import Run


@dataclass(frozen=True)
class Record:
    """A finished run, under the key that all its settings hash to."""

    key: str
    run: Run
    outcome: Outcome

    def to_json(self) -> dict[str, Any]:
        return {"key": self.key, "run": self.run, "outcome": self.outcome}

    @classmethod
    def of(cls, row: dict[str, Any]) -> Record:
        parts, phase, seed = row["run"]
        *numbers, diverged, looks = row["outcome"]
        outcome = Outcome._make([*_with_nan(numbers), diverged, tuple(Look._make(_with_nan(look)) for look in looks)])
        return cls(row["key"], Run(tuple((name, strength) for name, strength in parts), phase, seed), outcome)


def _with_nan(numbers: Sequence[float | None]) -> list[float]:
    return [float("nan") if number is None else number for number in numbers]


def without_nan(value: Any) -> Any:
    """The same with null for numbers that are not finite, which JSON has no words for."""
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if isinstance(value, dict):
        return {k: without_nan(v) for k, v in value.items()}
    return [without_nan(v) for v in value] if isinstance(value, list | tuple) else value


class Lines:
    """A file of JSON lines that only grows. A line that was torn off does not count."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __iter__(self) -> Iterator[dict[str, Any]]:
        text = self.path.read_text(encoding="utf-8", errors="replace") if self.path.exists() else ""
        for line in text.splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict) and "key" in row:
                yield row

    def append(self, row: dict[str, Any]) -> None:
        """Add a line, on a line of its own even after a torn one."""
        line = json.dumps(without_nan(row), allow_nan=False).encode() + b"\n"
        with self.path.open("ab+") as file:
            end = file.seek(0, os.SEEK_END)
            if end:
                file.seek(end - 1)
                if file.read(1) != b"\n":
                    file.write(b"\n")
            file.write(line)
            file.flush()
            os.fsync(file.fileno())


class Store:
    """A folder with the lines of runs and of measurements, and the finalists' weights until they are measured.

    Weights are there before their line is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.weights = folder / "weights"
        self.weights.mkdir(parents=True, exist_ok=True)
        self.runs = Lines(folder / "runs.jsonl")
        self.measured = Lines(folder / "measured.jsonl")
        self.advised = Lines(folder / "advised.jsonl")

    def finished(self) -> dict[str, Record]:
        """Every run that is finished, by its key."""
        found = {}
        for row in self.runs:
            try:
                record = Record.of(row)
            except (ValueError, KeyError, TypeError):
                continue
            found[record.key] = record
        return found

    def add(self, record: Record, weights: bytes | None) -> None:
        """Keep a run, and its weights where it has to be measured."""
        if weights is not None:
            write_bytes(self.path(record.key), weights)
        self.runs.append(record.to_json())

    def path(self, key: str) -> Path:
        return self.weights / f"{key}.safetensors"

    def load(self, key: str) -> bytes:
        """The weights of a run, as `to_bytes` gave them. Raises RuntimeError where the file cannot be read."""
        try:
            content = self.path(key).read_bytes()
            load(content)
        except (OSError, SafetensorError) as error:
            raise RuntimeError(f"{self.path(key)} cannot be read ({error}); delete it and run this again") from error
        return content

    def drop(self, key: str) -> None:
        """Delete weights that nothing needs any more; the lines stay."""
        self.path(key).unlink(missing_ok=True)


def to_bytes(net: nn.Module) -> bytes:
    """A network's state; tensors that share memory are written each for itself."""
    return save({name: tensor.detach().cpu().clone() for name, tensor in net.state_dict().items()})


def from_bytes(content: bytes) -> dict[str, Tensor]:
    return load(content)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file at once, or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    draft.write_bytes(content)
    os.replace(draft, path)


def write_text(path: Path, text: str) -> None:
    """Write a text file at once, or not at all."""
    write_bytes(path, text.encode("utf-8"))
