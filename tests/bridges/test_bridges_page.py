"""docs/bridges.md runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import torchnoise as tn

PAGE = Path(__file__).parents[2] / "docs" / "bridges.md"
BLOCKS = dict(re.findall(r"<!-- test: (\w+) -->\n```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))

pytestmark = [
    pytest.mark.filterwarnings("ignore::Warning:lightning"),
    pytest.mark.filterwarnings("ignore:.*(num_workers|logging interval|litlogger|LeafSpec).*"),
    pytest.mark.filterwarnings("ignore::Warning:transformers"),
]


class Small(nn.Module):
    """What a reader may have, with a layer called dense."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.ModuleDict({"dense": nn.Linear(4, 8)})
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.block["dense"](x).relu())


def names() -> dict[str, Any]:
    """What the blocks are given, and the plan that the page begins with."""
    model = Small()
    data = torch.utils.data.TensorDataset(torch.randn(12, 4), torch.arange(12) % 3)
    given: dict[str, Any] = {
        "model": model,
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.1),
        "loader": torch.utils.data.DataLoader(data, batch_size=6),
        "loss_fn": nn.functional.cross_entropy,
    }
    first = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert first
    exec(first[1], given)
    return given


def test_there_are_four() -> None:
    assert list(BLOCKS) == ["loop", "accelerate", "transformers", "lightning"]


def test_a_loop_of_your_own(capsys: pytest.CaptureFixture) -> None:
    exec(BLOCKS["loop"], names())
    assert "block.dense (activation.output)" in capsys.readouterr().out


def test_accelerate() -> None:
    accelerate = pytest.importorskip("accelerate")
    given = {**names(), "accelerator": accelerate.Accelerator(cpu=True)}
    exec(BLOCKS["accelerate"], given)
    assert given["noise"].current_step == 2


def test_transformers(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    pytest.importorskip("transformers")
    from test_hf_trainer import Sentences, bert, collate
    from transformers import Trainer, TrainingArguments

    args = TrainingArguments(
        output_dir=str(tmp_path),
        max_steps=1,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        dataloader_pin_memory=False,
    )
    given = {"tn": tn, "Trainer": Trainer, "args": args, "model": bert(), "dataset": Sentences(), "collate": collate}
    exec(BLOCKS["transformers"], given)
    assert "relative_to='size'" in capsys.readouterr().out


def test_lightning(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    lightning = pytest.importorskip("lightning.pytorch")

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = Small()

        def training_step(self, batch: Any, index: int) -> torch.Tensor:
            return nn.functional.cross_entropy(self.model(batch[0]), batch[1])

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    off = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    quiet = {**dict.fromkeys(off, False), "accelerator": "cpu", "default_root_dir": tmp_path}
    exec(BLOCKS["lightning"], {**names(), "module": Module(), "lightning": lightning, "quiet": quiet})
    assert "block.dense (activation.output)" in capsys.readouterr().out
