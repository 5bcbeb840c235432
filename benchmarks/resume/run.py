"""Kill `torchnoise train` at random moments, start it again, and compare the bits with a run that never stopped.

    python benchmarks/resume/run.py --data FOLDER

FOLDER has adult.csv.gz (target income-per-year) and mnist10k/ with MNIST's files. Each of the two is trained once
without a stop, and once killed (SIGKILL) five times. Writes results.md beside this file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PLANS = HERE.parents[1] / "examples" / "plans"
KILLS = 5
FLAGS = ("--epochs", "4", "--checkpoint-every", "20", "--cpu")


def command(plan: str, data: Path, *flags: str) -> list[str]:
    main = "import sys; from torchnoise.cli import main; sys.exit(main())"
    return [sys.executable, "-c", main, "train", str(PLANS / plan), "--data", str(data), *flags, *FLAGS]


def tasks(data: Path) -> dict[str, list[str]]:
    return {
        "Adult": command(
            "adult.yaml", data / "adult.csv.gz", "--target", "income-per-year", "--batch-size", "128", "--quiet"
        ),
        "MNIST": command("mnist.yaml", data / "mnist10k", "--model", "cnn", "--batch-size", "64", "--quiet"),
    }


def newest(out: Path) -> Path | None:
    return max((out / "checkpoint").glob("checkpoint-*"), default=None)


def position(out: Path) -> tuple[int, int]:
    """Epochs and steps in the newest checkpoint."""
    found = newest(out)
    if found is None:
        return 0, 0
    at = json.loads((found / "state.json").read_text())["position"]
    return at["epoch"], at["step"]


def killed(task: list[str], out: Path, wait: float) -> tuple[int, int] | None:
    """Start the task, kill it so long after its first new checkpoint; where it was then, None if it ended before."""
    before = newest(out)
    running = subprocess.Popen([*task, "--out", str(out)], stdout=subprocess.DEVNULL)
    while running.poll() is None and newest(out) == before:
        time.sleep(0.002)
    time.sleep(wait)
    running.send_signal(signal.SIGKILL)
    return position(out) if running.wait() == -signal.SIGKILL else None


def outcome(out: Path) -> dict[str, Any]:
    """Hashes of what a run ended with; the history without its seconds."""
    history = json.loads((out / "history.json").read_text())
    for row in history["rows"]:
        del row["seconds"]
    last = newest(out)
    assert last is not None
    return {
        "weights": hashlib.sha256((out / "model.safetensors").read_bytes()).hexdigest(),
        "last checkpoint": hashlib.sha256((last / "tensors.safetensors").read_bytes()).hexdigest(),
        "history": hashlib.sha256(json.dumps(history).encode()).hexdigest(),
        "test accuracy": history["test"]["acc"],
    }


def compare(name: str, task: list[str], folder: Path, draw: random.Random) -> str:
    """One row of the table."""
    whole, parts = folder / f"{name}-whole", folder / f"{name}-killed"
    subprocess.run([*task, "--out", str(whole)], check=True, stdout=subprocess.DEVNULL)
    lasts = sum(row["seconds"] for row in json.loads((whole / "history.json").read_text())["rows"])
    places: list[tuple[int, int]] = []
    while len(places) < KILLS:
        place = killed(task, parts, draw.uniform(0.0, 0.8 * lasts / KILLS))
        if place is None:  # it came to its end: once more from the beginning
            shutil.rmtree(parts)
            places.clear()
            continue
        places.append(place)
        print(f"{name}: killed in epoch {place[0] + 1}, checkpoint at step {place[1]}", flush=True)
    subprocess.run([*task, "--out", str(parts)], check=True, stdout=subprocess.DEVNULL)
    one, other = outcome(whole), outcome(parts)
    _, steps = position(whole)
    equal = ["equal" if one[k] == other[k] else "DIFFERENT" for k in ("weights", "last checkpoint", "history")]
    after = ", ".join(str(step) for _, step in places)
    return f"| {name} | {steps} | {after} | {' | '.join(equal)} | {one['test accuracy']:.4f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    draw = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as folder:
        rows = [compare(name, task, Path(folder), draw) for name, task in tasks(given.data).items()]
    text = "\n".join(
        [
            "# Killed and resumed",
            "",
            "`torchnoise train` on UCI Adult (examples/plans/adult.yaml, an MLP) and MNIST's test digits",
            "(examples/plans/mnist.yaml, a small CNN), four epochs, a checkpoint every 20 steps: once without a stop,",
            f"and once killed by SIGKILL {KILLS} times at random moments and started again by the same command.",
            "Compared bit for bit: model.safetensors (the best weights), the last checkpoint's tensors (model,",
            "AdamW's moments, noise, random states), and the history without its seconds.",
            "Made by `python benchmarks/resume/run.py --data FOLDER`.",
            "",
            "| data | steps | last checkpoint at each kill | weights | checkpoint | history | test accuracy |",
            "|---|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )
    (HERE / "results.md").write_text(text)
    print(text)
    if "DIFFERENT" in text:
        sys.exit(1)


if __name__ == "__main__":
    main()
