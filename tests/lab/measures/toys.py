"""Small models and data for the measures' tests."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from torchnoise.lab.data import IMAGE, TABLE, TEXT, Data, Part, WordEncoder
from torchnoise.lab.models import Model, Training
from torchnoise.lab.task import Task

WORDS = [
    *("[hidden]", "[unknown]", "a", "bad", "day", "dull", "film", "fine", "good", "great", "it", "little"),
    *("long", "never", "not", "of", "plot", "poor", "so", "the", "too", "very", "warm"),
]


class Toy(Model):
    """A model around a function that makes a network."""

    name = described = "toy"

    def __init__(self, make: Callable[[], nn.Module], encoder=None, batch_size: int = 8) -> None:
        self.make, self.encoder, self.training = make, encoder, Training(1, batch_size, 0.01)

    def build(self, seed: int) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.make().train()

    def outputs(self, model: nn.Module, x: Tensor) -> Tensor:
        return model(x)


class Bag(nn.Module):
    """Embeds ids, adds up what is no padding, classifies."""

    def __init__(self, outputs: int = 2, width: int = 6) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(WORDS), width, padding_idx=0)
        self.head = nn.Linear(width, outputs)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head((self.embedding(ids) * (ids != 0)[..., None]).sum(1))


def numbers(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def mlp(inputs: int, outputs: int, width: int = 8) -> Toy:
    return Toy(lambda: nn.Sequential(nn.Flatten(), nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, outputs)))


def table(rows: int = 60, features: int = 5, classes: int | None = 3, seed: int = 0) -> tuple[Data, Part]:
    """A table and its test part. classes None: a number is learned."""
    random = numbers(seed)
    weights = torch.randn(features, classes or 1, generator=random)

    def part() -> Part:
        x = torch.randn(rows, features, generator=random)
        y = x @ weights + 0.3 * torch.randn(rows, classes or 1, generator=random)
        return Part(x, y.argmax(1) if classes else y[:, 0] / y.std())

    task = Task(None) if classes is None else Task(tuple(map(str, range(classes))))
    train, validation, test = part(), part(), part()
    return Data("toy", TABLE, task, train, validation, tuple(f"f{i}" for i in range(features))), test


def images(rows: int = 40, shape: tuple[int, int, int] = (1, 8, 10), seed: int = 0) -> tuple[Data, Part]:
    """Images whose class is which half is brighter."""
    random = numbers(seed)

    def part() -> Part:
        x = torch.rand(rows, *shape, generator=random)
        y = torch.arange(rows) % 2
        x[y == 1, :, : shape[1] // 2] *= 0.3
        x[y == 0, :, shape[1] // 2 :] *= 0.3
        return Part(x, y)

    return Data("toy", IMAGE, Task(("up", "down")), part(), part()), part()


def texts(rows: int = 30, seed: int = 0) -> tuple[Data, Part]:
    """Texts of 4 to 9 words, whose class is whether "good" is among them."""
    random = numbers(seed)
    encoder = WordEncoder(tuple(WORDS[2:]), length=10)

    def part() -> Part:
        lengths = torch.randint(4, 10, (rows,), generator=random).tolist()
        words = [[WORDS[i] for i in torch.randint(2, len(WORDS), (n,), generator=random)] for n in lengths]
        y = torch.tensor([int("good" in some) for some in words])
        said = tuple(" ".join(some) for some in words)
        return Part(encoder(said), y, said)

    return Data("toy", TEXT, Task(("bad", "good")), part(), part(), encoder=encoder), part()


def trained(model: Toy, data: Data, steps: int = 60, seed: int = 0) -> nn.Module:
    """A network after some steps on all training examples."""
    net = model.build(seed)
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.03)
    for _ in range(steps):
        loss = data.task.loss(model.outputs(net, data.train.x), data.train.y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    optimizer.zero_grad()
    return net.eval()
