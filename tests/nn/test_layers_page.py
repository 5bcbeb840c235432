"""docs/layers.md names every public layer, and its code runs."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import nn

import torchnoise as tn

PAGE = (Path(__file__).parents[2] / "docs" / "layers.md").read_text()


def test_every_public_name_is_on_the_page() -> None:
    public = {n for n, v in vars(tn.nn).items() if not n.startswith("_") and getattr(v, "__module__", "") != "builtins"}
    made = {n for n in public if callable(getattr(tn.nn, n))}
    assert {n for n in made if f"`{n}" not in PAGE and f"tn.nn.{n}" not in PAGE} == set()


def test_the_code_runs() -> None:
    loader, found = [(torch.ones(3, 4), torch.ones(3))] * 2, {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, {"tn": tn, "nn": nn, "loader": loader, "first_step": 7}, found)
    assert found["model"][0].current_step == 8
