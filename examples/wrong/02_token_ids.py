"""Gaussian noise on token ids: a word becomes its neighbour in the vocabulary, however little noise there is."""

from __future__ import annotations

import torch
from demonstrate import minilm_folder, show
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

import torchnoise as tn

folder = minilm_folder()
from transformers import AutoModel, AutoTokenizer  # noqa: E402 - once it is known to be there

tokenizer = AutoTokenizer.from_pretrained(folder)
SENTENCES = [
    "This film is warm, funny and wise.",
    "Add a spoon of salt and boil rice.",
    "Trains to the coast leave at nine in the morning.",
    "She repaired an old radio in an hour.",
]
batch = tokenizer(SENTENCES * 250, padding=True, return_tensors="pt")
ids, mask = batch["input_ids"], batch["attention_mask"]
special = (ids == 101) | (ids == 102)  # [CLS] and [SEP]; padding is 0
SOME = slice(0, 40)  # enough for what takes the whole model

# As it is typed
torch.manual_seed(0)
typed = (ids + 0.1 * torch.randn(ids.shape)).long()
tiny = (ids + 0.001 * torch.randn(ids.shape)).long()
rounded = (ids + 0.1 * torch.randn(ids.shape)).round().long()

# What to type instead
plan = tn.Plan(
    tn.Injection(tn.Bernoulli(0.15, combine="replace", value=103), at=tn.Tokens(special=(101, 102))),
)


class Encoder(nn.Module):
    """MiniLM with mean pooling, as sentences are compared. It writes down what arrives."""

    def __init__(self) -> None:
        super().__init__()
        self.bert = AutoModel.from_pretrained(folder).eval()

    def forward(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor | None = None) -> Tensor:
        self.arrived, self.labels = input_ids, labels
        states = self.bert(input_ids, attention_mask).last_hidden_state * attention_mask[..., None]
        return states.sum(1) / attention_mask.sum(1, keepdim=True)


model = Encoder()
with torch.no_grad(), tn.attach(model, plan, seed=0):
    model(ids[SOME], mask[SOME], labels=ids[SOME])
masked, labels = model.arrived, model.labels


@torch.no_grad()
def row(name: str, noisy: Tensor) -> tuple[str, ...]:
    similar = cosine_similarity(model(noisy[SOME], mask[SOME]), model(ids[SOME], mask[SOME])).mean()
    n = len(noisy)
    kinds = ((mask == 1) & ~special)[:n], special[:n], (mask == 0)[:n]
    return (name, *(f"{(noisy != ids[:n])[kind].double().mean():.0%}" for kind in kinds), f"{similar:.1f}")


show(
    "noise on the ids|words changed|[CLS], [SEP]|padding|cosine with clean",
    row("(ids + 0.1 * randn).long()", typed),
    row("(ids + 0.001 * randn).long()", tiny),
    row("(ids + 0.1 * randn).round().long()", rounded),
    row("tn.Bernoulli(0.15) at tn.Tokens", masked),
)
for word in ("film", "salt", "radio"):
    i = tokenizer.convert_tokens_to_ids(word)
    print(f"{word!r} is id {i}; id {i - 1} is {tokenizer.convert_ids_to_tokens(i - 1)!r}")
for name, noisy in (("typed:  ", typed), ("instead:", masked)):
    print(name, " ".join(tokenizer.convert_ids_to_tokens(noisy[0][mask[0] == 1])))
print(f"labels changed by tn.Bernoulli: {int((labels != ids[SOME]).sum())}")
