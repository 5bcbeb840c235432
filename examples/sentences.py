"""Sentences with a sentiment, made here or read from a folder, and a small BERT for them. Used by the text examples."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import torch
from transformers import BertConfig, BertForSequenceClassification

Rows = list[tuple[str, int]]
GOOD = ("charming", "funny", "warm", "clever", "moving", "fresh", "honest", "gripping", "tender", "bright")
BAD = ("dull", "clumsy", "cold", "stale", "tedious", "loud", "shallow", "hollow", "messy", "grim")
ABOUT = ("film", "plot", "cast", "music", "ending", "script", "camera", "joke")
PADDING, MASK = 0, 1


def load(folder: str | None) -> tuple[Rows, Rows]:
    """Training and validation sentences: of train.tsv and dev.tsv, lines of text TAB label; or made here."""
    if folder is None:
        return _made(400, seed=1, wrong=0.2), _made(400, seed=2, wrong=0.0)
    found = []
    for name in ("train.tsv", "dev.tsv"):
        lines = (Path(folder) / name).read_text(encoding="utf-8").splitlines()
        found.append([(text, int(label)) for text, _, label in (line.rpartition("\t") for line in lines if line)])
    return found[0], found[1]


def _made(count: int, seed: int, wrong: float) -> Rows:
    """'the plot is honest and loud but clever' is positive, two to one; a share of the labels is wrong, as in life."""
    chance, rows = random.Random(seed), []
    for _ in range(count):
        good = [chance.random() < 0.5 for _ in range(3)]
        first, second, third = (chance.choice(GOOD if g else BAD) for g in good)
        subject = " and the ".join(chance.sample(ABOUT, chance.choice([1, 2])))
        label = (sum(good) >= 2) != (chance.random() < wrong)
        rows.append((f"the {subject} is {first} and {second} but {third}", int(label)))
    return rows


class Sentences(torch.utils.data.Dataset):
    """Rows as ids of whole words; words that `vocabulary` lacks are masked."""

    def __init__(self, rows: Rows, vocabulary: dict[str, int]) -> None:
        self.rows = [([vocabulary.get(w, MASK) for w in text.split()[:48]], label) for text, label in rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> dict[str, Any]:
        return {"input_ids": self.rows[i][0], "labels": self.rows[i][1]}


def vocabulary_of(rows: Rows) -> dict[str, int]:
    """A number for each word, from 2."""
    return {word: i + 2 for i, word in enumerate(sorted({w for text, _ in rows for w in text.split()}))}


def collate(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """A batch, padded to its longest sentence, with the mask that says what is padding."""
    ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(r["input_ids"]) for r in rows], batch_first=True)
    return {
        "input_ids": ids,
        "attention_mask": (ids != PADDING).long(),
        "labels": torch.tensor([r["labels"] for r in rows]),
    }


def small_bert(words: int) -> BertForSequenceClassification:
    """Two layers of width 64, not pretrained: the same initial weights each time."""
    torch.manual_seed(0)
    size = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
    return BertForSequenceClassification(BertConfig(vocab_size=words + 2, max_position_embeddings=48, **size))
