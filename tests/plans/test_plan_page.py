"""docs/plans.md: its files are plans, its commands print what it shows, its code runs.

python tests/plans/test_plan_page.py        writes into the page what its commands print now
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import torchnoise as tn
from torchnoise.cli import main
from torchnoise.cli.find_model import find_model

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "plans.md"
BLOCK = re.compile(r"<!-- (\w+)(?:: ([\w.]+))? -->\n```\w+\n(.*?)```\n", re.DOTALL)


def replay(page: str) -> Iterator[tuple[re.Match, str, int]]:
    """Each command of the page with what it prints and its status, in a folder that has the page's files."""
    for found in BLOCK.finditer(page):
        what, name, body = found.groups()
        if what == "file":
            Path(name).write_text(body)
        if what == "run":
            program, *arguments = shlex.split(body.splitlines()[0].removeprefix("$ "))
            assert program == "torchnoise"
            both = io.StringIO()
            with contextlib.redirect_stdout(both), contextlib.redirect_stderr(both):
                status = main(arguments)
            lines = [line.rstrip() for line in both.getvalue().splitlines()]
            yield found, "\n".join(lines).strip("\n"), status


def test_commands_print_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = PAGE.read_text()
    seen = 0
    for found, printed, status in replay(page):
        body = found[3]
        assert body.partition("\n")[2].strip("\n") == printed, "python tests/plans/test_plan_page.py"
        assert status == int(found[2] or 0)
        seen += 1
    assert seen == 4


def test_every_yaml_block_is_a_plan_but_the_wrong_one() -> None:
    blocks = {name: body for what, name, body in BLOCK.findall(PAGE.read_text()) if what == "file"}
    assert sorted(blocks) == ["more.yaml", "other.yaml", "plan.yaml", "wrong.yaml"]
    with pytest.raises(tn.PlanError):
        tn.Plan.from_yaml(blocks.pop("wrong.yaml"))
    plans = {name: tn.Plan.from_yaml(body) for name, body in blocks.items()}
    with tn.attach(model := find_model("mlp"), plans["more.yaml"], optimizer=torch.optim.SGD(model.parameters())):
        assert [len(plan) for plan in plans.values()] == [2, 2, 3]


def test_the_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").mkdir()
    steps = []

    def train(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
        model(torch.rand(2, 1, 28, 28)).sum().backward()
        optimizer.step()
        steps.append(model)

    model = find_model("mlp")
    names = {"model": model, "optimizer": torch.optim.SGD(model.parameters(), lr=0.1), "train": train}
    for what, name, body in BLOCK.findall(PAGE.read_text()):
        if what == "file":
            Path(name).write_text(body)
        if what == "code":
            exec(compile(body, "plans.md", "exec"), names)
    assert len(steps) == 1
    assert tn.Plan.load("results/plan.yaml") == tn.Plan.load("plan.yaml")


def test_the_files_that_it_names_exist() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", PAGE.read_text()):
        assert (PAGE.parent / link).exists(), link


if __name__ == "__main__":
    page = PAGE.read_text()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for found, printed, _ in replay(page):
            command = found[3].splitlines()[0]
            page = page.replace(found[3], f"{command}\n{printed}\n")
    PAGE.write_text(page)
