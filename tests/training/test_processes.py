"""Two processes train what one does: gloo on the CPU, as `torchrun` and `accelerate launch` start them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from training import fit_worker as worker

import torchnoise as tn

pytestmark = pytest.mark.skipif(not torch.distributed.is_available(), reason="torch without distributed")

# Sums over processes round otherwise than one process's, and AdamW divides by small numbers; the noise moves weights by
# a hundred times as much (test_noise_moves_the_weights).
CLOSE: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-5}
SECONDS = 90.0


def start(folder: Path, world: int) -> list[dict[str, Any]]:
    """All processes of a world, until they have written what they found."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {
        **os.environ,
        "PYTHONPATH": str(Path(tn.__file__).parents[1]),
        "OMP_NUM_THREADS": "1",
        "GLOO_SOCKET_IFNAME": "lo",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(world),
        "LOCAL_WORLD_SIZE": str(world),
    }
    running = []
    try:
        for rank in range(world):
            with (folder / f"rank{rank}.log").open("wb") as log:
                command = [sys.executable, worker.__file__, str(folder)]
                own = env | {"RANK": str(rank), "LOCAL_RANK": str(rank)}
                running.append(subprocess.Popen(command, stdout=log, stderr=log, env=own))
        end = time.monotonic() + SECONDS
        while None in (codes := [p.poll() for p in running]) and not any(codes) and time.monotonic() < end:
            time.sleep(0.05)
    finally:
        for process in running:
            process.kill()
            process.wait()
    if any(codes) or None in codes:
        logs = [(folder / f"rank{r}.log").read_text()[-3000:] for r in range(world)]
        pytest.fail("\n---\n".join([f"ended with {codes}", *logs]), pytrace=False)
    return [torch.load(folder / f"rank{r}.pt", weights_only=True) for r in range(world)]


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return start(tmp_path_factory.mktemp("two"), 2)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("one")
    return {name: worker.run(name, folder) for name in worker.CASES}


@pytest.mark.parametrize("name", worker.CASES)
def test_two_processes_end_with_the_weights_of_one(ranks: Any, alone: Any, name: str) -> None:
    """25 examples in batches of 8, the last of one row, which only one of two processes gets; or of 8, 7, 1 and 9.

    With noise on inputs, activations, weights and gradients, with accumulation, learned and adversarial noise, from
    loaders, lists and functions, and in a run that goes on from a checkpoint. Weights, losses, accuracies, norms and
    strengths agree; and both processes' weights to the bit.

    Broken on purpose: a process's mean not weighted by its rows; examples numbered from 0 on each; the learned
    scales' gradients not averaged; the order drawn with the rank in the seed.
    """
    for found in ranks:
        for parameter, value in alone[name]["weights"].items():
            assert torch.equal(found[name]["weights"][parameter], ranks[0][name]["weights"][parameter])
            torch.testing.assert_close(found[name]["weights"][parameter], value, **CLOSE)
        for here, there in zip(found[name]["rows"], alone[name]["rows"], strict=True):
            assert here.keys() == there.keys()
            for column in here:
                assert here[column] == pytest.approx(there[column], rel=1e-3), column


def test_noise_moves_the_weights(alone: Any) -> None:
    """So that the comparison above could fail."""
    for parameter, value in alone["noise"]["weights"].items():
        assert (value - alone["plain"]["weights"][parameter]).abs().max() > 100 * CLOSE["atol"]
