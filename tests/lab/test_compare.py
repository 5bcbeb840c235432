"""A whole small comparison: the same numbers however it is run or interrupted, and the test set sealed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from torchnoise.cli import main
from torchnoise.lab import compare as module
from torchnoise.lab.compare import Watcher, compare
from torchnoise.lab.data import load_digits, split
from torchnoise.lab.noises import CANDIDATES, CLEAN
from torchnoise.lab.pool import run_all
from torchnoise.lab.results import assemble, choices, chosen_runs
from torchnoise.lab.run import Outcome
from torchnoise.lab.settings import Run, Settings, Training
from torchnoise.lab.store import Record, Store

SMALL = Settings(noises=("gaussian_input", "dropout"), seeds=2, training=Training(epochs=2))
FLAGS = ["--noises", "gaussian_input,dropout", "--seeds", "2", "--epochs", "2"]


def numbers(results):
    """Results without what a clock measured."""
    results = json.loads(json.dumps(results))
    for noise in results["noises"]:
        noise.pop("relative_cost", None)
    for run in results["runs"]:
        run.pop("seconds")
    return results


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("compare")


@pytest.fixture(scope="module")
def small(folder):
    return compare(SMALL, folder, processes=2)


class StopAfter(Watcher):
    def __init__(self, count):
        self.left = count

    def finished(self, record):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def test_same_numbers_from_one_process_after_an_interruption(small, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        compare(SMALL, tmp_path, StopAfter(5), processes=1)
    lines = tmp_path / "runs.jsonl"
    assert len(lines.read_text().splitlines()) == 5
    lines.write_text(lines.read_text()[:-20])  # a line torn by a power cut
    seen = []

    class Count(Watcher):
        def planned(self, runs, finished):
            seen.append((len(runs), len(finished)))

    again = compare(SMALL, tmp_path, Count(), processes=1)
    assert seen == [(14, 4)]
    assert numbers(again) == numbers(small)


def test_a_finished_comparison_trains_nothing_again(small, folder):
    class Refuse(Watcher):
        def finished(self, record):
            raise AssertionError("a run was done twice")

    assert numbers(compare(SMALL, folder, Refuse())) == numbers(small)


def test_killed_and_resumed(small, tmp_path, capsys):
    command = [
        sys.executable,
        "-c",
        "import sys; from torchnoise.cli import main; sys.exit(main(sys.argv[1:]))",
    ]
    command += ["compare", *FLAGS, "--out", str(tmp_path), "--quiet"]
    lines = tmp_path / "runs.jsonl"
    with subprocess.Popen(command) as process:
        deadline = time.monotonic() + 60
        while not lines.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert not (tmp_path / "report.html").exists()
    assert main(command[command.index("compare") :]) == 0
    assert capsys.readouterr().out.splitlines() == [str(tmp_path / "report.html")]
    assert numbers(json.loads((tmp_path / "results.json").read_text())) == numbers(small)


@pytest.mark.skipif(os.name == "nt", reason="signals of a terminal")
def test_ctrl_c_is_one_line_and_130(tmp_path):
    command = [
        sys.executable,
        "-c",
        "import sys; from torchnoise.cli import main; sys.exit(main(sys.argv[1:]))",
    ]
    command += ["compare", "--seeds", "50", "--out", str(tmp_path), "--quiet"]
    lines = tmp_path / "runs.jsonl"
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        deadline = time.monotonic() + 60
        while not lines.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the parent and to every worker
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert len(errors.splitlines()) == 1
    assert "goes on from there" in errors


def test_results_json_has_its_fields(small, folder):
    saved = json.loads((folder / "results.json").read_text())
    assert numbers(saved) == numbers(small)
    assert saved["schema_version"] == 1
    assert set(saved) == {
        "schema_version", "settings", "versions", "split", "clean", "noises", "winner", "verdict", "runs",
    }  # fmt: skip
    assert {"torch", "torchnoise", "python"} <= set(saved["versions"])
    assert saved["split"] == {"train": 719, "validation": 359, "test": 719}
    assert len(saved["runs"]) == 2 * (1 + 3 + 3)
    assert set(saved["runs"][0]) == {"noise", "strength", "seed", *Outcome._fields}
    for noise in saved["noises"]:
        assert len(noise["differences"]) == len(noise["validation"]) == 2
        assert noise["interval"][0] <= noise["difference"] <= noise["interval"][1]
        assert noise["relative_cost"] > 0
        assert "at" in noise["chosen"]["plan"]
        assert len(noise["chosen"]["code"]) == 4
    assert saved["winner"] in SMALL.noises
    assert saved["winner"] in saved["verdict"]["sentence"]


def test_weights_of_finalists_alone_are_kept(small, folder):
    assert len(list((folder / "weights").iterdir())) == 2 * 3


def test_only_finalists_are_scored_and_workers_get_no_test_data(small, folder, tmp_path, monkeypatch):
    scored = []
    score = module.score
    monkeypatch.setattr(module, "score", lambda runs, *rest: scored.append(runs) or score(runs, *rest))
    compare(SMALL, folder)
    chosen = {n["name"]: n["chosen"]["strength"] for n in small["noises"]}
    assert scored == [[Run(n, x, s) for n, x in [(CLEAN, 0.0), *chosen.items()] for s in range(2)]]
    with pytest.raises(TypeError, match="no test set"):
        next(run_all([], (*split(load_digits(), 0)[0], None), SMALL, 1))


def made_up(settings, value, diverged=lambda run: False):
    """Records as if runs had been done; `value` gives validation accuracies."""
    return {
        run: Record("k", run, Outcome(value(run), 1.0, 0.0, 1.0, "step 3: the loss is nan" if diverged(run) else None))
        for run in settings.runs()
    }


def test_choices_follow_validation_whatever_the_test_set_says():
    settings = Settings(noises=("weight", "dropout"), seeds=2)
    records = made_up(settings, lambda run: 0.9 + (run.strength == CANDIDATES["weight"].ladder[1]) * 0.05)
    chosen = choices(records, settings)
    for luck in (0.1, 0.9):
        test = {run: luck * (run.noise == "dropout") for run in chosen_runs(chosen, settings)}
        results = assemble(settings, records, test, dict.fromkeys(settings.noises, 2.0), {"test": 100})
        assert results["winner"] == "weight"


def test_a_noise_that_always_diverges_is_shown_and_not_chosen():
    settings = Settings(noises=("weight", "dropout"), seeds=2)
    records = made_up(settings, lambda run: 0.9, diverged=lambda run: run.noise == "weight")
    chosen = choices(records, settings)
    assert chosen == {"weight": None, "dropout": CANDIDATES["dropout"].ladder[0]}
    test = dict.fromkeys(chosen_runs(chosen, settings), 0.5)
    results = assemble(settings, records, test, {"dropout": 2.0}, {"test": 100})
    assert [n["verdict"] for n in results["noises"]] == ["diverged", "no difference seen"]
    assert results["winner"] == "dropout"


def test_store_survives_a_torn_line_and_numbers_that_are_not_finite(tmp_path: Path):
    store = Store(tmp_path)
    odd = Record("a", Run("weight", 0.1, 0), Outcome(0.5, 0.5, float("nan"), 1.0, "step 3: the loss is nan"))
    store.append(odd)
    with store.lines.open("a") as file:
        file.write('{"key": "b", "noi')
    store.append(Record("c", Run("weight", 0.1, 1), Outcome(0.5, 0.5, 0.1, 1.0)))
    assert set(store.finished({"a", "b", "c"})) == {"a", "c"}
    assert store.finished({"a"})["a"].outcome.diverged == odd.outcome.diverged
