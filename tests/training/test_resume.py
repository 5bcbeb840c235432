"""Killed at any moment and started again, a run ends with the bits of one that never stopped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import torchnoise as tn

WORKER = Path(__file__).with_name("resume_worker.py")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="runs are forked, so that they need not import everything again")
def test_killed_at_any_moment_a_run_ends_with_the_same_bits(tmp_path: Path) -> None:
    """SIGKILL between steps, inside of them, anywhere in the writing of a checkpoint, and at random times: the weights,
    the last checkpoint (model, best weights, optimizer, schedule, noise, random states) and the history agree bit for
    bit with the uninterrupted run's.

    Broken on purpose: checkpoints written in place instead of renamed ("in the first saving" finds a damaged one);
    the random states not restored; batches not loaded again after a resume; the learning rate of a last step that was
    followed by a checkpoint taken from the optimizer.
    """
    env = {**os.environ, "PYTHONPATH": str(Path(tn.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "error", "-W", "ignore::DeprecationWarning", str(WORKER), str(tmp_path)]
    ran = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr[-3000:]
    found: dict[str, Any] = json.loads(ran.stdout)
    whole, runs = found["whole"], found["runs"]
    assert sum(run["kills"] for run in runs.values()) >= 20
    wrong = [
        (n, what)
        for n, run in runs.items()
        for what in ("weights", "tensors", "state", "rows")
        if run[what] != whole[what]
    ]
    assert not wrong
