"""Noise in Lightning: one callback.

Type:  python examples/lightning_digits.py
See:   a small network on scikit-learn's digits, fitted clean and with noise on its inputs and hidden activations, and
       the validation accuracy of both; then the same noisy fit stopped halfway and resumed from Lightning's
       checkpoint, which ends at the same weights, bit for bit. One run of each says little about accuracy.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import warnings
from pathlib import Path

import lightning.pytorch as pl
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import torchnoise as tn
from torchnoise.bridges.lightning import NoiseCallback

warnings.filterwarnings("ignore", module="lightning")  # advice about loaders' workers
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


class Digits(pl.LightningModule):
    """As you would write it without noise. training_step calls self.model, so the callback is told module="model"."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))

    def training_step(self, batch: list[torch.Tensor], index: int) -> torch.Tensor:
        return nn.functional.cross_entropy(self.model(batch[0]), batch[1])

    def validation_step(self, batch: list[torch.Tensor], index: int) -> None:
        self.log("accuracy", (self.model(batch[0]).argmax(1) == batch[1]).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=3e-3)


def fit(plan: tn.Plan | None, epochs: int, resume: Path | None = None) -> pl.Trainer:
    found = load_digits()
    order = torch.randperm(len(found.target), generator=torch.Generator().manual_seed(0))
    x, y = torch.tensor(found.data / 16, dtype=torch.float32)[order], torch.tensor(found.target)[order]
    pl.seed_everything(0, verbose=False)
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    callbacks = [NoiseCallback(plan, seed=0, module="model")] if plan else []
    trainer = pl.Trainer(max_epochs=epochs, accelerator="cpu", callbacks=callbacks, enable_checkpointing=False, **quiet)
    train, validation = TensorDataset(x[:300], y[:300]), TensorDataset(x[300:], y[300:])
    loaders = DataLoader(train, batch_size=32), DataLoader(validation, batch_size=2000)
    trainer.fit(Digits(), *loaders, ckpt_path=resume)
    return trainer


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--epochs", type=int, default=40)
    epochs = parser.parse_args().epochs
    plan = tn.Plan(tn.recipes.input_noise(0.2), tn.recipes.gaussian_dropout(0.1, at=tn.Activations("1")))
    clean, noisy = fit(None, epochs), fit(plan, epochs)
    for name, trainer in (("clean", clean), ("with noise", noisy)):
        print(f"{name:10}  validation accuracy {trainer.callback_metrics['accuracy']:.1%}")
    with tempfile.TemporaryDirectory() as folder:
        fit(plan, epochs // 2).save_checkpoint(half := Path(folder) / "half.ckpt")
        resumed = fit(plan, epochs, resume=half)
    pairs = zip(noisy.lightning_module.parameters(), resumed.lightning_module.parameters(), strict=True)
    print(f"stopped halfway and resumed: the same weights, bit for bit: {all(torch.equal(a, b) for a, b in pairs)}")


if __name__ == "__main__":
    main()
