"""Noise on a Transformers model with tn.fit: one call, no loop.

Type:  python examples/fit_text.py
       python examples/fit_text.py --data FOLDER     (with train.tsv and dev.tsv: text TAB label, as SST-2)
See:   a small BERT that learns whether a sentence is kind, trained clean and with NEFTune's noise on embeddings: the
       losses and accuracies of each epoch, and the best of each. One run of each says little.
"""

from __future__ import annotations

import argparse

from sentences import Sentences, collate, load, small_bert, vocabulary_of
from torch.utils.data import DataLoader

import torchnoise as tn


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", help="a folder with train.tsv and dev.tsv")
    parser.add_argument("--epochs", type=int, default=8)
    options = parser.parse_args()
    rows, held_out = load(options.data)
    vocabulary = vocabulary_of(rows)
    train = DataLoader(Sentences(rows, vocabulary), batch_size=32, shuffle=True, collate_fn=collate)
    validation = DataLoader(Sentences(held_out, vocabulary), batch_size=200, collate_fn=collate)

    # the paper's alpha of 5 is for the large embeddings of pretrained models
    for name, plan in (("clean", None), ("with noise", tn.Plan(tn.recipes.neftune(alpha=0.5)))):
        print(name)
        history = tn.fit(
            small_bert(len(vocabulary)),
            train,
            validation,
            plan=plan,
            lr=1e-3,
            epochs=options.epochs,
            clip_grad_norm=1.0,
            cpu=True,
        )
        print(f"{history}\n")


if __name__ == "__main__":
    main()
