"""Noise for three features of an embedding that lands on three tokens."""

from __future__ import annotations

import torch
from demonstrate import minilm_folder, show
from torch import Tensor

import torchnoise as tn

folder = minilm_folder()
from transformers import AutoModel, AutoTokenizer  # noqa: E402 - once it is known to be there

tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModel.from_pretrained(folder).train()
batch = tokenizer(["A warm and funny film.", "Boil it for ten minutes, then rest."], padding=True, return_tensors="pt")
words = [tokenizer.convert_ids_to_tokens(ids) for ids in batch["input_ids"]]
dims = [0, 1, 2]  # the features that shall get noise
clean = model.embeddings.word_embeddings(batch["input_ids"]).detach()  # [2, 11, 384]

# As it is typed
torch.manual_seed(0)
emb = clean.clone()
emb[:, dims] += 0.1 * torch.randn_like(emb[:, dims])

# What to type instead
plan = tn.Plan(tn.Injection(tn.Gaussian(0.1), at=tn.Embeddings(), dims=dims, axis=-1))
seen: list[Tensor] = []
model.embeddings.word_embeddings.register_forward_hook(lambda module, args, out: seen.append(out.detach()))
with tn.attach(model, plan, seed=0), torch.no_grad():
    model(**batch)


def row(name: str, noisy: Tensor) -> tuple[object, ...]:
    changed = noisy != clean
    hit = [word for word, any_ in zip(words[0], changed[0].any(-1), strict=True) if any_]
    return name, int(changed.sum()), int(changed.any(0).any(0).sum()), " ".join(hit)


print(f"embeddings of shape {tuple(clean.shape)}")
show(
    "noise|elements changed|features|tokens of the first sentence",
    row("emb[:, dims] += noise", emb),
    row("tn.Embeddings(), dims=dims", seen[0]),
)
