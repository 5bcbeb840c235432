"""MiniLM and sentences to fine-tune it on; what text/run.py has for this is taken from there."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from typing import Any

import torch

TEXT = Path(__file__).parents[2] / "text" / "run.py"

# for quick runs: what is said of a thing, and whether it is praise
THINGS = ("the film", "her new play", "this old song", "the long story", "every scene")
SAID = (
    ("is a joy", 1),
    ("is very good", 1),
    ("moved us all", 1),
    ("is a bore", 0),
    ("is bad", 0),
    ("made us sleep", 0),
)


@cache
def text_run() -> Any:
    """benchmarks/text/run.py as a module: read, collate, folder_of_model."""
    spec = importlib.util.spec_from_file_location("text_run", TEXT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["text_run"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def made_up(file: Path) -> Path:
    """Writes 30 sentences as lines of text TAB label."""
    lines = [f"{thing} {said}\t{label}" for thing in THINGS for said, label in SAID]
    file.write_text("\n".join(lines))
    return file


def classifier(seed: int, folder: Path, tiny: bool) -> Any:
    """MiniLM with a fresh classifier on top, without dropout; tiny: a random network of the same kind."""
    import transformers

    none = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "num_labels": 2}
    with torch.random.fork_rng():
        torch.manual_seed(seed)  # transformers initialises from torch's generator
        if not tiny:
            return transformers.AutoModelForSequenceClassification.from_pretrained(folder, **none)
        size = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
        config = transformers.AutoConfig.from_pretrained(folder, **none, **size)
        return transformers.AutoModelForSequenceClassification.from_config(config)
