"""What test_resume.py runs: a training that is killed again and again, beside one that never was.

Started as `python resume_worker.py FOLDER`; prints what it found as JSON. Everything is imported once, here; each run
is a forked process, which kills itself (SIGKILL) at an event drawn beforehand: between two steps, inside one, or
anywhere in the writing of a checkpoint, also with half a file written. Some are killed from outside, at a random time.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset

import torchnoise as tn
from torchnoise.training import fit

EPOCHS = 3
PLAN = tn.Plan(
    tn.Injection(tn.Gaussian(0.1, relative_to=tn.RunningStd()), at=tn.Inputs(), when=tn.warm_up(10)),
    tn.Injection(tn.Gaussian(1.0, relative_to=tn.Learned(0.1)), at=tn.Activations("0")),
    tn.Injection(tn.Gaussian(0.05, relative_to="rms"), at=tn.Weights()),
    tn.Injection(tn.Gaussian(0.01), at=tn.Gradients()),
)


class Digits(Dataset):
    """Digits with a random transform that draws from all three generators."""

    def __init__(self) -> None:
        x, y = load_digits(return_X_y=True)
        self.x, self.y = torch.from_numpy(x / 16.0).float(), torch.from_numpy(y)

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        factor = 1.0 + 0.1 * (float(torch.rand(())) + np.random.rand() + random.random())
        return self.x[i] * factor, self.y[i]


DIGITS = Digits()


def train(folder: Path) -> dict[str, Any]:
    """The run, and what came out: hashes of the model's weights and of the last checkpoint, and the numbers."""
    torch.manual_seed(int.from_bytes(os.urandom(4), "big"))  # nothing may depend on the caller's states
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = nn.Sequential(nn.Linear(64, 24), nn.BatchNorm1d(24), nn.ReLU(), nn.Dropout(0.2), nn.Linear(24, 10))
    train_loader = DataLoader(Subset(DIGITS, range(250)), batch_size=16, shuffle=True)
    val_loader = DataLoader(Subset(DIGITS, range(250, 400)), batch_size=64)
    history = fit(
        model,
        train_loader,
        val_loader,
        plan=PLAN,
        lr=0.02,
        weight_decay=0.01,
        epochs=EPOCHS,
        seed=5,
        scheduler="cosine",
        warmup=2,
        clip_grad_norm=1.0,
        accumulate=2,
        checkpoint=folder,
        checkpoint_every=3,
        cpu=True,
    )
    newest = max(folder.glob("checkpoint-*"))
    state = json.loads((newest / "state.json").read_text())
    for row in state["history"]["rows"]:
        del row["seconds"]
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in history.to_dict()["rows"]]
    return {
        "weights": _hash(b"".join(v.numpy().tobytes() for v in model.state_dict().values())),
        "tensors": _hash((newest / "tensors.safetensors").read_bytes()),
        "state": _hash(json.dumps(state).encode()),
        "rows": json.dumps(rows),
    }


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Events:
    """Counts what happens in a run, and kills the process at event number `fatal`."""

    def __init__(self, fatal: int | None) -> None:
        self.count, self.fatal, self.saving = 0, fatal, []
        self._wrap(os, "fsync", saving=True)
        self._wrap(os, "rename", saving=True)
        self._wrap(shutil, "rmtree", saving=True)
        self._wrap(safetensors.torch, "save_file", saving=True, around=self._half)
        self._wrap(torch.optim.AdamW, "step")
        self._wrap(nn.BatchNorm1d, "forward")
        self._wrap(Tensor, "backward")

    def _wrap(self, place: Any, name: str, saving: bool = False, around: Callable[..., None] | None = None) -> None:
        original = getattr(place, name)

        @functools.wraps(original)  # by whose marks torch knows that an optimizer's step has its hooks already
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.happened(saving)
            if around is not None:
                around(*args)
            result = original(*args, **kwargs)
            self.happened(saving)
            return result

        setattr(place, name, wrapped)

    def _half(self, tensors: dict[str, Tensor], path: Path) -> None:
        Path(path).write_bytes(b"half a file")
        self.happened(True)

    def happened(self, saving: bool) -> None:
        if saving:
            self.saving.append(self.count)
        if self.count == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        self.count += 1


def forked(folder: Path, result: Path, fatal: int | None, events: bool = True) -> int:
    """Run the training in a process of its own; returns its id."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        seen = Events(fatal) if events else None
        found = train(folder)
        if seen is not None:
            found |= {"events": seen.count, "saving": seen.saving}
        result.write_text(json.dumps(found))
        status = 0
    finally:
        os._exit(status)


def wait(child: int) -> bool:
    """Whether a process came to its end; False where it was killed."""
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return False
    assert os.WEXITSTATUS(status) == 0, "a run failed"
    return True


def killed_until_done(folder: Path, fatal: list[int]) -> dict[str, Any]:
    """The run killed at each of these events, one process after the other, then left to end."""
    kills = 0
    for number in (*fatal, None):
        done = wait(forked(folder / "run", folder / "result.json", number))
        kills += not done
        if done:
            break
    return json.loads((folder / "result.json").read_text()) | {"kills": kills}


def killed_by_time(folder: Path, seconds: list[float]) -> dict[str, Any]:
    """The run killed from outside after so many seconds each."""
    kills = 0
    for limit in (*seconds, None):
        child = forked(folder / "run", folder / "result.json", None, events=False)
        if limit is not None:
            time.sleep(limit)
            os.kill(child, signal.SIGKILL)
        done = wait(child)
        kills += not done
        if done:
            break
    return json.loads((folder / "result.json").read_text()) | {"kills": kills}


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    train(folder / "warm")  # kernels are loaded here, once for all
    began = time.monotonic()
    assert wait(forked(folder / "whole" / "run", folder / "whole.json", None))
    lasts = time.monotonic() - began
    whole = json.loads((folder / "whole.json").read_text())
    draw = random.Random(0)
    found: dict[str, Any] = {"whole": whole, "runs": {}}
    plans = {f"anywhere {i}": [draw.randrange(whole["events"])] for i in range(4)}
    plans |= {f"while saving {i}": [draw.choice(whole["saving"])] for i in range(3)}
    plans |= {
        "at once": [0, 3],
        "in short parts": [draw.randrange(20, 110) for _ in range(7)],  # of what is left of the run
        "in the first saving": whole["saving"][1:16:2],
        "in the last saving": [whole["saving"][-5]],
    }
    for name, fatal in plans.items():
        place = folder / name.replace(" ", "-")
        place.mkdir()
        found["runs"][name] = killed_until_done(place, fatal)
    place = folder / "time"
    place.mkdir()
    found["runs"]["by time"] = killed_by_time(place, [draw.uniform(0.0, 0.9 * lasts) for _ in range(4)])
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
