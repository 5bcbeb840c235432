"""What a checkpoint of a run holds, and how a run goes on from one."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from . import checkpoint, streams
from .fingerprint import difference
from .history import History

if TYPE_CHECKING:
    from .loop import Run

_FORMAT = 1


class Keeper:
    """Saves a run, and brings one back."""

    def __init__(self, run: Run) -> None:
        self.run, self.folder = run, run.settings.checkpoint

    def save(self) -> None:
        """A checkpoint of the run between two steps; every process takes part, the first one writes."""
        if self.folder is None:
            return
        from accelerate.utils import gather_object

        run = self.run
        loss, rows = run.sums()
        # of each process: its dropout, and what running scales have seen
        own = gather_object([{"random": streams.snapshot(), "noise": run.trainer.noise.state_dict()}])
        if run.accelerator.is_main_process:
            position = {**asdict(run.position), "loss": loss, "rows": rows, "norm": float(run.position.norm)}
            checkpoint.save(self.folder, {**self._state(), "position": position, "processes": own})
        run.accelerator.wait_for_everyone()

    def _state(self) -> dict[str, Any]:
        run, trainer = self.run, self.run.trainer
        scaler = run.accelerator.scaler
        return {
            "format": _FORMAT,
            "fingerprint": run.parts.mark,
            "history": run.history.to_dict(),
            "model": dict(trainer.bare.state_dict()),
            "buffers": _unsaved(trainer.bare),
            "optimizer": trainer.optimizer.state_dict(),
            "scheduler": None if run.parts.scheduler is None else run.parts.scheduler.state_dict(),
            "scaler": None if scaler is None else scaler.state_dict(),
            "best": run.best,
        }

    def resume(self) -> None:
        """Go on from the folder's newest checkpoint, where that is wanted and there is one.

        Raises:
            ValueError: the checkpoint is of another run.
            FileNotFoundError: resume=True, and there is none.
        """
        run, wanted = self.run, self.run.settings.resume
        if self.folder is None:
            return
        run.accelerator.wait_for_everyone()
        if run.accelerator.is_main_process:
            checkpoint.tidy(self.folder, everything=wanted is False)
        run.accelerator.wait_for_everyone()
        found = checkpoint.load(self.folder)
        if found is None:
            if wanted is True:
                raise FileNotFoundError(f"{self.folder}: there is no checkpoint to resume from")
            return
        state, path = found
        if state.get("format") != _FORMAT:
            raise ValueError(f"{path}: format {state.get('format')!r}, allowed: {_FORMAT}")
        other = difference(run.parts.mark, state["fingerprint"])
        if other is not None:
            raise ValueError(
                f"{path} is of another run: {other}; choose another folder, or begin again by resume=False"
            )
        run.accelerator.wait_for_everyone()
        if run.accelerator.is_main_process:
            checkpoint.forget_after(path)
        self._restore(state)

    def _restore(self, state: dict[str, Any]) -> None:
        run, trainer = self.run, self.run.trainer
        trainer.bare.load_state_dict(state["model"])
        with torch.no_grad():
            for name, buffer in _unsaved(trainer.bare).items():
                buffer.copy_(state["buffers"][name])
        trainer.optimizer.load_state_dict(state["optimizer"])
        if run.parts.scheduler is not None:
            run.parts.scheduler.load_state_dict(state["scheduler"])
        if run.accelerator.scaler is not None:
            run.accelerator.scaler.load_state_dict(state["scaler"])
        history = History.from_dict(state["history"])
        run.history.rows, run.best = history.rows, state["best"]
        run.position = type(run.position)(**state["position"])
        rank = run.accelerator.process_index
        if rank:  # the sums are those of all processes; the first one has them
            run.position.loss, run.position.rows = 0.0, 0
        processes = state["processes"]
        trainer.noise.load_state_dict(processes[min(rank, len(processes) - 1)]["noise"])
        if rank < len(processes):
            streams.restore(processes[rank]["random"])
        else:  # there were fewer processes
            streams.begin(streams.derived(run.settings.seed, run.position.step), rank)


def _unsaved(model: nn.Module) -> dict[str, Tensor]:
    """Buffers that state_dict leaves out."""
    saved = set(model.state_dict())
    return {name: buffer for name, buffer in model.named_buffers() if name not in saved}
