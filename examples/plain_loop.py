"""Noise in a plain PyTorch loop: one line around your own.

Type:  python examples/plain_loop.py
See:   an MLP on 300 of scikit-learn's digits, trained clean and with Gaussian noise on its inputs, from the same
       initial weights and the same batches; the accuracy of both on the other 1497 digits; what noise was realised.
       One run of each: the difference is one seed's, and `torchnoise compare` says how sure such a thing is.
"""

from __future__ import annotations

import argparse
from contextlib import nullcontext

import torch
from sklearn.datasets import load_digits
from torch import nn

import torchnoise as tn


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    """Pixels from 0 to 1, and labels, in a fixed random order."""
    found = load_digits()
    order = torch.randperm(len(found.target), generator=torch.Generator().manual_seed(0))
    x, y = torch.tensor(found.data / 16, dtype=torch.float32), torch.tensor(found.target)
    return x[order], y[order]


def train(plan: tn.Plan | None, epochs: int) -> float:
    """Accuracy on what was not trained on."""
    x, y = digits()
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    # this is the line: inside, noise enters while the model trains, and eval() is clean
    with tn.attach(model, plan, seed=0, optimizer=optimizer) if plan else nullcontext() as noise:
        for _ in range(epochs):
            for rows in torch.randperm(300).split(32):
                loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        if noise:
            print(noise.report())
    with torch.no_grad():
        return (model.eval()(x[300:]).argmax(1) == y[300:]).float().mean().item()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--epochs", type=int, default=60)
    epochs = parser.parse_args().epochs
    clean = train(None, epochs)
    noisy = train(tn.Plan(tn.Injection(tn.Gaussian(0.3), at=tn.Inputs())), epochs)
    print(f"\ntest accuracy: clean {clean:.1%}, with noise on inputs {noisy:.1%}")


if __name__ == "__main__":
    main()
