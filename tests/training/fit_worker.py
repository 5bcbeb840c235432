"""What test_processes.py runs: one of several processes that train together, or all of it in one.

Started as `python fit_worker.py FOLDER` with RANK, WORLD_SIZE and so on in the environment, as launchers set them.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import torchnoise as tn
from torchnoise.training import fit

PLAN = tn.Plan(
    tn.Injection(tn.Gaussian(0.3), at=tn.Inputs()),
    tn.Injection(tn.Gaussian(0.2, relative_to="rms"), at=tn.Activations("1")),
    tn.Injection(tn.Gaussian(0.1, relative_to="rms"), at=tn.Weights()),
    tn.Injection(tn.Gaussian(0.1), at=tn.Gradients()),
)
LEARNED = PLAN + tn.Plan(tn.Injection(tn.Gaussian(1.0, relative_to=tn.Learned(0.1)), at=tn.Activations("0")))
ADVERSARIAL = PLAN + tn.Plan(tn.Injection(tn.FGSM(0.1), at=tn.Inputs()))


def data(rows: int, seed: int) -> TensorDataset:
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, 6, generator=g)
    return TensorDataset(x, (x[:, 0] * x[:, 1] > 0).long())


def in_lists() -> list[tuple[Tensor, Tensor]]:
    """25 examples in batches that two processes cannot share evenly; of one of them one process has no row."""
    x, y = data(25, 0).tensors
    sizes = [8, 7, 1, 9]
    return list(zip(x.split(sizes), y.split(sizes), strict=True))


def streamed() -> Iterator[dict[str, Tensor]]:
    for x, y in in_lists():
        yield {"input": x, "labels": y}


def loader() -> DataLoader:
    return DataLoader(data(25, 0), batch_size=8, shuffle=True)


def twice(model: nn.Module, train_loader: Any, val_loader: Any, **settings: Any) -> tn.History:
    """One epoch, and the others in a run that goes on from its checkpoint."""
    fit(model, train_loader, val_loader, **{**settings, "epochs": 1})
    return fit(model, train_loader, val_loader, **settings, resume=True)


CASES: dict[str, dict[str, Any]] = {
    "plain": {"plan": None},
    "noise": {},
    "accumulated": {"accumulate": 3},
    "learned": {"plan": LEARNED, "accumulate": 2, "scheduler": "linear"},
    "adversarial": {"plan": ADVERSARIAL},
    "lists": {"data": in_lists},
    "streamed": {"data": lambda: streamed},
    "resumed": {"fit": twice, "accumulate": 2},
}


def run(name: str, folder: Path) -> dict[str, Any]:
    """One case: the weights and the numbers."""
    settings = {"data": loader, "fit": fit, "plan": PLAN, **CASES[name]}
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2))
    history = settings.pop("fit")(
        model,
        settings.pop("data")(),
        DataLoader(data(9, 1), batch_size=8),  # the last batch has one row
        lr=0.02,
        epochs=3,
        seed=3,
        clip_grad_norm=0.5,
        keep_best=False,
        checkpoint=folder / name,
        checkpoint_every=2,
        cpu=True,
        **settings,
    )
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in history.rows]
    return {"weights": {n: p.detach() for n, p in model.named_parameters()}, "rows": rows}


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("error", tn.NoEffectWarning)
    torch.save({name: run(name, folder) for name in CASES}, folder / f"rank{os.environ['RANK']}.pt")
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
