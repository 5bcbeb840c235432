"""Noise in a loop that Accelerate prepares: attach after prepare(), with what prepare() gave.

Type:  python examples/accelerate_loop.py
       torchrun --nproc_per_node 2 examples/accelerate_loop.py     (two processes that share each batch out)
See:   the loss of each epoch, and the test accuracy on scikit-learn's digits. The batch's global numbers go to
       noise.examples(), so that the same examples get the same noise however many processes share them out.
"""

from __future__ import annotations

import argparse

import torch
from accelerate import Accelerator
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import torchnoise as tn

BATCH = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--epochs", type=int, default=15)
    epochs = parser.parse_args().epochs

    accelerator = Accelerator(cpu=True)
    found = load_digits()
    order = torch.randperm(len(found.target), generator=torch.Generator().manual_seed(0))
    x, y = torch.tensor(found.data / 16, dtype=torch.float32)[order], torch.tensor(found.target)[order]
    # the row's number travels with it: the examples' numbers are then the same for every number of processes
    train = TensorDataset(x[:1200], y[:1200], torch.arange(1200))
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    loader = DataLoader(train, batch_size=BATCH // accelerator.num_processes, shuffle=True)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)

    plan = tn.Plan(
        tn.Injection(tn.Gaussian(0.2), at=tn.Inputs()),
        tn.recipes.gaussian_dropout(0.2, at=tn.Activations(nn.ReLU)),
        tn.recipes.gradient_noise(eta=1e-6),
    )
    with tn.attach(model, plan, seed=0, optimizer=optimizer) as noise:
        for epoch in range(epochs):
            total = torch.zeros((), device=accelerator.device)
            for pixels, labels, numbers in loader:
                noise.examples(numbers)
                loss = nn.functional.cross_entropy(model(pixels), labels)
                optimizer.zero_grad()
                accelerator.backward(loss)
                accelerator.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()  # noise on gradients enters here, after the clipping
                total += loss.detach()
            mean = accelerator.reduce(total / len(loader), "mean").item()
            if epoch % 5 == 4 or epoch == epochs - 1:
                accelerator.print(f"epoch {epoch + 1:2d}  step {noise.current_step:4d}  training loss {mean:.4f}")
    with torch.no_grad():
        right = (model.eval()(x[1200:].to(accelerator.device)).argmax(1).cpu() == y[1200:]).float().mean().item()
    accelerator.print(f"\ntest accuracy on {accelerator.num_processes} process(es): {right:.1%}")
    accelerator.end_training()


if __name__ == "__main__":
    main()
