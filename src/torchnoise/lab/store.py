"""Finished runs on disk. A comparison that was cut off, however roughly, goes on from what is here."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from .run import Outcome
from .settings import Run


@dataclass(frozen=True)
class Record:
    """A finished run, under the key that all its settings hash to."""

    key: str
    run: Run
    outcome: Outcome

    def line(self) -> str:
        """One line of JSON; numbers that are not finite become null."""
        outcome = {k: _finite(v) for k, v in self.outcome._asdict().items()}
        return json.dumps({"key": self.key, **self.run._asdict(), **outcome}, allow_nan=False)

    @classmethod
    def of(cls, row: dict[str, Any]) -> Record:
        outcome = {name: row[name] for name in Outcome._fields}
        if outcome["train_loss"] is None:
            outcome["train_loss"] = float("nan")
        return cls(row["key"], Run(*(row[name] for name in Run._fields)), Outcome(**outcome))


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not abs(value) < float("inf") else value


class Store:
    """A folder with runs.jsonl and the runs' weights. Weights are there before their line is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines = folder / "runs.jsonl"
        self.weights = folder / "weights"
        self.weights.mkdir(parents=True, exist_ok=True)

    def finished(self, keys: set[str]) -> dict[str, Record]:
        """The finished runs among `keys`. A torn line does not count."""
        found = {}
        text = self.lines.read_text(encoding="utf-8") if self.lines.exists() else ""
        for line in text.splitlines():
            try:
                record = Record.of(json.loads(line))
            except (ValueError, KeyError, TypeError):
                continue
            if record.key in keys:
                found[record.key] = record
        return found

    def append(self, record: Record) -> None:
        """Add a line, on a line of its own even after a torn one."""
        with self.lines.open("ab+") as file:
            end = file.seek(0, os.SEEK_END)
            if end:
                file.seek(end - 1)
                if file.read(1) != b"\n":
                    file.write(b"\n")
            file.write(record.line().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def path(self, key: str) -> Path:
        return self.weights / f"{key}.safetensors"

    def load(self, key: str) -> dict[str, Tensor]:
        """The weights of a run. Raises RuntimeError where the file cannot be read."""
        try:
            return load_file(self.path(key))
        except (OSError, SafetensorError) as error:
            raise RuntimeError(f"{self.path(key)} cannot be read ({error}); delete it and run this again") from error

    def drop(self, keys: set[str]) -> None:
        """Delete weights that nothing needs any more; the lines stay."""
        for key in keys:
            self.path(key).unlink(missing_ok=True)


def save_weights(model: nn.Module, path: Path) -> None:
    """Write to a neighbour and rename, so that no half file ever bears the name."""
    draft = path.with_suffix(f".{os.getpid()}.draft")
    save_file(model.state_dict(), draft)
    os.replace(draft, path)


def write_text(path: Path, text: str) -> None:
    """Write a text file at once, or not at all."""
    draft = path.with_name(path.name + ".draft")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, path)


def record_rows(records: list[Record]) -> list[dict[str, Any]]:
    """Records as they stand in results.json, without their keys."""
    rows = [json.loads(record.line()) for record in records]
    return [{k: v for k, v in row.items() if k != "key"} for row in rows]
