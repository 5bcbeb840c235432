"""A whole small comparison: the same numbers however it is run or interrupted, and the test set sealed."""

import json
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest
from lab.small import FLAGS, LADDERS, SMALL

from torchnoise.cli import main
from torchnoise.lab.compare import compare
from torchnoise.lab.engines import LocalEngine
from torchnoise.lab.prepare import prepare
from torchnoise.lab.results import Results
from torchnoise.lab.run import Bench
from torchnoise.lab.store import Store
from torchnoise.lab.watcher import Watcher

RESULTS = "results.json"
COMMAND = [sys.executable, "-c", "import sys; from torchnoise.cli import main; sys.exit(main(sys.argv[1:]))", "compare"]


class StopAfter(Watcher):
    def __init__(self, count):
        self.left = count

    def finished(self, record, before):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


class Count(Watcher):
    def __init__(self):
        self.new = self.old = 0

    def finished(self, record, before):
        self.new += not before
        self.old += before


def test_same_file_from_one_process_after_an_interruption(small, small_folder, tmp_path):
    with LocalEngine(1) as one, pytest.raises(KeyboardInterrupt):
        compare(SMALL, prepare(SMALL), tmp_path, one, StopAfter(5))
    lines = tmp_path / "runs.jsonl"
    text = lines.read_text()
    lines.write_text(text[:-20])  # a line torn by a power cut
    count = Count()
    with LocalEngine(1) as one:
        results, _ = compare(SMALL, prepare(SMALL), tmp_path, one, count)
    assert count.old >= 4
    assert len(Store(tmp_path).finished()) == len(results.runs)  # nothing was written onto the torn line
    assert (tmp_path / RESULTS).read_bytes() == (small_folder / RESULTS).read_bytes()


def test_a_finished_comparison_trains_nothing_again(small, small_folder, engine):
    count, before = Count(), (small_folder / RESULTS).read_bytes()
    compare(SMALL, prepare(SMALL), small_folder, engine, count)
    assert count.new == 0
    assert count.old == len(small[0].runs)
    assert (small_folder / RESULTS).read_bytes() == before


def test_killed_at_random_moments_and_resumed(tmp_path, capsys):
    reference, folder = tmp_path / "whole", tmp_path / "killed"
    assert main(["compare", *FLAGS, "--out", str(reference), "--quiet"]) == 0
    moments = random.Random(0)
    command = [*COMMAND, *FLAGS, "--out", str(folder), "--quiet"]
    for _ in range(2):
        begun = len((folder / "runs.jsonl").read_bytes()) if (folder / "runs.jsonl").exists() else 0
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            deadline = time.monotonic() + 60
            while process.poll() is None and time.monotonic() < deadline:
                if (folder / "runs.jsonl").exists() and len((folder / "runs.jsonl").read_bytes()) > begun:
                    break
                time.sleep(0.02)
            time.sleep(moments.random())
            process.send_signal(signal.SIGKILL)
    capsys.readouterr()
    assert main(["compare", *FLAGS, "--out", str(folder), "--quiet"]) == 0
    assert capsys.readouterr().out.splitlines() == [str(folder / "report.html")]
    assert (folder / RESULTS).read_bytes() == (reference / RESULTS).read_bytes()


@pytest.mark.skipif(os.name == "nt", reason="signals of a terminal")
def test_ctrl_c_is_one_line_and_130(tmp_path):
    command = [*COMMAND, "--seeds", "50", "--out", str(tmp_path), "--quiet"]
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


def test_results_json_is_what_it_says(small, small_folder):
    results, timing = small
    saved = Results.model_validate_json((small_folder / RESULTS).read_text())
    assert saved == results
    assert results.data.sizes == {"train": 719, "validation": 359, "test": 719}
    assert [noise.name for noise in results.noises] == list(SMALL.noises)
    for noise in results.noises:
        assert [rung.strength for rung in noise.ladder] == list(LADDERS[noise.name])
        assert noise.chosen.strength in LADDERS[noise.name]
        assert noise.difference.low <= noise.difference.mean <= noise.difference.high
        assert len(noise.difference.by_seed) == len(noise.arm.test) == 2
        assert noise.difference.mean == pytest.approx(sum(noise.difference.by_seed) / 2)
        assert len(noise.chosen.code) == 4
        assert noise.arm.figures is not None
        assert timing.costs[noise.name].time > 0
    assert results.winner in SMALL.noises
    assert results.winner in results.verdict.sentence
    partners = {one.second for one in results.combinations}
    assert {"weight_decay", "random_shift"} <= partners
    assert all(one.first == results.winner != one.second for one in results.combinations)


def test_nothing_a_clock_measured_is_in_results_json(small_folder, small):
    text = (small_folder / RESULTS).read_text()
    assert "seconds" not in json.dumps(sorted(json.loads(text)["runs"][0]))
    assert "time" not in json.loads(text)


def test_weights_are_dropped_once_they_are_measured(small, small_folder):
    clean_first = 1  # kept for the advice
    assert len(list((small_folder / "weights").iterdir())) == clean_first


def test_final_seeds_are_not_those_of_the_search(small):
    rows = small[0].runs
    validation = {(tuple(map(tuple, row.parts)), row.phase, row.seed): row.train_loss for row in rows}
    clean = [loss for (parts, _, _), loss in validation.items() if not parts]
    assert len(set(clean)) == len(clean)


def test_training_gets_no_test_data():
    prepared = prepare(SMALL)
    with pytest.raises(TypeError, match="no test set"):
        Bench(prepared.test, prepared.bench.model, prepared.bench.training, 0)
    with pytest.raises(TypeError, match="stays in its process"):
        pickle.dumps(prepared.test)
    prepared.test.open()
    with pytest.raises(RuntimeError, match="opened already"):
        prepared.test.open()


def test_another_test_set_is_measured_anew(small, small_folder, engine, tmp_path):
    """Measures are kept by the test set's bytes, too."""
    from torchnoise.lab.data import SealedTest

    prepared = prepare(SMALL)
    part = prepared.test.open()
    shorter = prepared._replace(test=SealedTest(part.first(len(part) - 1)))
    shutil.copytree(small_folder, tmp_path / "copy")
    results, _ = compare(SMALL, shorter, tmp_path / "copy", engine)
    assert results.data.sizes["test"] == 718
    right = [718 * score for score in results.clean.arm.test]
    assert right == pytest.approx([round(count) for count in right], abs=1e-6)
