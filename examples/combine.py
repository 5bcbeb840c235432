"""Noise beside other regularisers: weight decay, dropout, label smoothing, augmentation.

Type:  python examples/combine.py
See:   a table for an MLP on 300 of scikit-learn's digits: test accuracy with each regulariser alone, with Gaussian
       noise on inputs alone, and with both; mean and range over three seeds. Three seeds show little: where ranges
       overlap, nothing is shown. On your data: `torchnoise compare`.
"""

from __future__ import annotations

import argparse

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

import torchnoise as tn

PLAN = tn.Plan(tn.Injection(tn.Gaussian(0.2), at=tn.Inputs()))
# what each regulariser changes in the loop below
PAIRS = {
    "weight decay 0.1": {"weight_decay": 0.1},
    "dropout 0.3": {"dropout": 0.3},
    "label smoothing 0.1": {"smoothing": 0.1},
    "turns to 15 degrees": {"turn": 1},
}


def turned(x: Tensor) -> Tensor:
    """Each 8 by 8 image turned by up to 15 degrees either way."""
    angle = (2 * torch.rand(len(x)) - 1) * torch.pi / 12
    rows = angle.cos(), -angle.sin(), torch.zeros_like(angle), angle.sin(), angle.cos(), torch.zeros_like(angle)
    grid = nn.functional.affine_grid(torch.stack(rows, 1).view(-1, 2, 3), [len(x), 1, 8, 8], align_corners=False)
    return nn.functional.grid_sample(x.view(-1, 1, 8, 8), grid, align_corners=False).flatten(1)


def accuracy(seed: int, epochs: int, noise: bool = False, **change: float) -> float:
    """Per cent right on 1497 digits after training on 300; a seed has its own split, weights and batches."""
    torch.manual_seed(seed)
    found = load_digits()
    order = torch.randperm(len(found.target))
    x, y = torch.tensor(found.data / 16, dtype=torch.float32)[order], torch.tensor(found.target)[order]
    drop = nn.Dropout(change.get("dropout", 0.0))
    hidden = nn.Linear(64, 128), nn.ReLU(), drop, nn.Linear(128, 128), nn.ReLU(), drop
    model = nn.Sequential(*hidden, nn.Linear(128, 10))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=change.get("weight_decay", 0.0))
    smoothing = change.get("smoothing", 0.0)
    with tn.attach(model, PLAN if noise else tn.Plan(), seed=seed, optimizer=optimizer):
        for _ in range(epochs):
            for rows in torch.randperm(300).split(50):
                inputs = turned(x[rows]) if "turn" in change else x[rows]
                loss = nn.functional.cross_entropy(model(inputs), y[rows], label_smoothing=smoothing)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    with torch.no_grad():
        return 100 * (model.eval()(x[300:]).argmax(1) == y[300:]).float().mean().item()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)  # as fast for so small a model, and its sums come out the same everywhere

    def cell(noise: bool = False, **change: float) -> str:
        scores = [accuracy(seed, options.epochs, noise, **change) for seed in range(options.seeds)]
        return f"{sum(scores) / len(scores):.1f} ({min(scores):.1f} to {max(scores):.1f})"

    print(f"test accuracy in %, mean and range over {options.seeds} seeds; noise is {PLAN.injections[0]}\n")
    print(f"clean {cell()}\nnoise {cell(noise=True)}\n")
    print(f"{'':22}{'alone':24}with noise")
    for name, change in PAIRS.items():
        print(f"{name:22}{cell(**change):24}{cell(noise=True, **change)}", flush=True)


if __name__ == "__main__":
    main()
