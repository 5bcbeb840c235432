"""Data as a comparison uses it: what runs may see, and a sealed test part that is opened once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NoReturn, Protocol

import torch
from torch import Tensor

from ..task import Task

Kind = Literal["table", "image", "text"]
TABLE: Kind = "table"
IMAGE: Kind = "image"
TEXT: Kind = "text"


class Encoder(Protocol):
    """Turns texts into what a model takes: int64 [N, tokens] padded by 0 at the end, or float32 [N, features]."""

    def __call__(self, texts: Sequence[str]) -> Tensor: ...


@dataclass(frozen=True)
class Part:
    """Some examples. x: float32 [N, ...], or int64 [N, tokens];  y: int64 [N] or float32 [N], as the task says.
    texts: of text data, what x was made of (x is empty, [N, 0], until a model's encoder has made it)."""

    x: Tensor
    y: Tensor
    texts: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.y)

    def encoded(self, encoder: Encoder) -> Part:
        """The same examples with x made of their texts."""
        assert self.texts is not None
        return replace(self, x=encoder(self.texts))

    def first(self, count: int) -> Part:
        """The first `count` examples (rows are in random order)."""
        texts = None if self.texts is None else self.texts[:count]
        return Part(self.x[:count], self.y[:count], texts)


@dataclass(frozen=True)
class Data:
    """All that a training run may see, and what is known about it.

    name: as it was asked for;  kind: TABLE, IMAGE or TEXT;  features: the names of a table's inputs, one for each;
    said: how the data were read, a line;  doubts: a line for whatever may be meant otherwise;  split_by: how rows went
    to their parts, in words.
    """

    name: str
    kind: Kind
    task: Task
    train: Part
    validation: Part
    features: tuple[str, ...] = ()
    said: str = ""
    doubts: tuple[str, ...] = ()
    split_by: str = "at random"
    encoder: Encoder | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example, as the model gets it."""
        return tuple(self.train.x.shape[1:])

    @property
    def usual_model(self) -> str:
        """The model that is trained where none is named."""
        return "transformer" if self.kind == TEXT else "mlp"

    def encoded(self, encoder: Encoder) -> Data:
        """Text data with x made of the texts by `encoder`."""
        train, validation = self.train.encoded(encoder), self.validation.encoded(encoder)
        return replace(self, encoder=encoder, train=train, validation=validation)

    def fingerprint(self) -> str:
        """A hash of all that runs are trained and chosen on."""
        return fingerprint(self.train, self.validation)


class SealedTest:
    """The test part. It opens once, after every choice is made, and does not travel to processes that train."""

    def __init__(self, part: Part) -> None:
        self._part: Part | None = part
        self.size = len(part)
        self.fingerprint = fingerprint(part)

    def open(self) -> Part:
        """The examples, the first time; an error ever after."""
        if self._part is None:
            raise RuntimeError("the test set was opened already; a second look would let it choose")
        part, self._part = self._part, None
        return part

    def encoded(self, encoder: Encoder) -> SealedTest:
        """The same, still sealed, with x made of the texts; this one is closed for good."""
        return SealedTest(self.open().encoded(encoder))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a sealed test set stays in its process; runs get training and validation data only")


def fingerprint(*parts: Part) -> str:
    """A hash of all bytes of some parts."""
    digest = hashlib.sha256()
    for part in parts:
        for tensor in (part.x, part.y):
            digest.update(str((tensor.dtype, tuple(tensor.shape))).encode() + tensor.numpy().tobytes())
        digest.update("\0".join(part.texts or ()).encode())
    return digest.hexdigest()


def empty(count: int) -> Tensor:
    """What stands for x until texts are encoded."""
    return torch.empty(count, 0)
