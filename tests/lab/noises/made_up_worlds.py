"""Small data and models of every kind that candidates are for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from torchnoise.lab.data import IMAGE, TABLE, TEXT, Data, Part
from torchnoise.lab.models import Model, Training
from torchnoise.lab.task import Task

CLASSES = Task(("no", "yes"))


def data_of(kind: str, x: Tensor, encoder: object = None) -> Data:
    """Data with x as inputs, train and validation alike, and labels of two classes."""
    part = Part(x, torch.arange(len(x)) % 2)
    return Data("made up", kind, CLASSES, part, part, encoder=encoder)  # type: ignore[arg-type]


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def table(scale: float = 1.0) -> Data:
    return data_of(TABLE, scale * randn(40, 6))


def images() -> Data:
    return data_of(IMAGE, 2.0 * torch.rand(20, 1, 8, 8, generator=torch.Generator().manual_seed(0)) - 0.5)


@dataclass(frozen=True)
class Words:
    """An encoder: each letter's place in the alphabet, between 1 and 2, padded by 0."""

    size: int = 30
    special_ids: tuple[int, ...] = (1, 2)
    mask_id: int | None = 3

    def __call__(self, texts: Sequence[str]) -> Tensor:
        rows = [[1, *(4 + ord(c) % 26 for c in text), 2] for text in texts]
        return torch.tensor([row + [0] * (12 - len(row)) for row in rows])


def texts() -> Data:
    encoder = Words()
    return data_of(TEXT, encoder(["good", "bad", "fine", "awful", "nice", "poor", "splendid", "meh"]), encoder)


def mlp(activation: type[nn.Module] = nn.ReLU, inputs: int = 6) -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(inputs, 8), activation(), nn.Linear(8, 2))


class Reader(nn.Module):
    """Ids in, logits out."""

    def __init__(self, vocabulary: int = 30) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, 8, padding_idx=0)
        self.hidden, self.act, self.out = nn.Linear(8, 8), nn.GELU(), nn.Linear(8, 2)

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.out(self.act(self.hidden(self.embedding(input_ids).mean(1))))


@dataclass(frozen=True)
class Made(Model):
    """A kind of model whose networks are copies of nothing: made by a function, called as they are."""

    make: object
    name: str = "made"
    described: str = "made up"
    training: Training = Training(2, 8, 0.01)  # noqa: RUF009 - frozen
    encoder: object = None  # type: ignore[assignment]

    def build(self, seed: int) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.make()  # type: ignore[operator]

    def outputs(self, model: nn.Module, x: Tensor) -> Tensor:
        return model(x)
