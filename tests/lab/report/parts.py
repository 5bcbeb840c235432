"""Parts of made-up results: a difference, an arm, a noise."""

from __future__ import annotations

import numpy as np

from torchnoise.lab.results import (
    Arm,
    Chosen,
    Corruption,
    Curve,
    Difference,
    Figures,
    Noise,
    Reliability,
    Rung,
    Sample,
    Site,
)

SEEDS, SEARCHED = 5, (2, 2, 4)
IMAGE_CORRUPTIONS = ("noise", "salt and pepper", "missing pixels", "blur", "contrast")
TEXT_CORRUPTIONS = ("typos", "dropped words", "swapped words")


def difference(rng: np.random.Generator, mean: float, half: float = 0.5, seeds: int = SEEDS) -> Difference:
    by_seed = mean + half * rng.standard_normal(seeds)
    mean = float(by_seed.mean())
    p = float(min(1.0, 2 * np.exp(-2.0 * (mean / half) ** 2)))
    word = "helps" if mean > half else "hurts" if mean < -half else "no difference seen"
    return Difference(
        mean=mean,
        low=mean - half,
        high=mean + half,
        p=p,
        p_adjusted=min(1.0, 4 * p),
        detectable=1.4 * half,
        seeds_share=0.4,
        by_seed=by_seed.tolist(),
        verdict=word,
    )


def curve(rng: np.random.Generator, x: list[float], y: np.ndarray, spread: float, seeds: int = SEEDS) -> Curve:
    return Curve(x=x, y=(y + spread * rng.standard_normal((seeds, len(x)))).tolist())


def figures(rng: np.random.Generator, score: float, robust: float, kind: str, classes: bool) -> Figures:
    x = [1.0, 2.0, 3.0, 4.0, 5.0]
    fall = np.array(x) ** 1.5 / 11.2
    names = {"image": IMAGE_CORRUPTIONS, "table": ("noise", "missing features"), "text": TEXT_CORRUPTIONS}[kind]
    bins = np.arange(0.25, 1.0, 0.1)
    return Figures(
        nll=(0.3 - 0.05 * robust + 0.01 * rng.standard_normal(SEEDS)).tolist(),
        calibration_error=(0.03 - 0.01 * robust + 0.003 * rng.random(SEEDS)).tolist() if classes else None,
        reliability=Reliability(
            confidence=bins.tolist(),
            accuracy=np.clip(bins - 0.12 * (1 - robust) + 0.03 * rng.standard_normal(len(bins)), 0, 1).tolist(),
            share=(bins**4 / np.sum(bins**4)).tolist(),
        )
        if classes
        else None,
        gap=(0.04 - 0.02 * robust + 0.004 * rng.standard_normal(SEEDS)).tolist(),
        corruptions=[
            Corruption(
                name=name,
                said=f"{name}, from {0.1 * (i + 1):.1f} to {0.5 * (i + 1):.1f} of the inputs",
                scores=curve(rng, x, score - (0.75 - 0.1 * i) * (1 - 0.6 * robust) * fall, 0.01),
            )
            for i, name in enumerate(names)
        ],
        fgsm=curve(
            rng, [0.0, 0.02, 0.05, 0.1, 0.2], score - np.array([0.0, 0.1, 0.25, 0.45, 0.7]) * (1 - 0.5 * robust), 0.01
        ),
        sharpness=curve(rng, [0.05, 0.1, 0.2, 0.4], np.array([0.01, 0.05, 0.3, 1.9]) * (1 - 0.5 * robust), 0.001),
    )


def arm(rng: np.random.Generator, score: float, robust: float, kind: str, classes: bool, epochs: int = 25) -> Arm:
    test = score + 0.006 * rng.standard_normal(SEEDS)
    x = [float(e) for e in range(1, epochs + 1)]
    fall = np.exp(-np.array(x) / 5)
    return Arm(
        validation=(test + 0.002).tolist(),
        train=np.minimum(test + 0.04 - 0.01 * robust, 1.0).tolist(),
        test=test.tolist(),
        test_mean=float(test.mean()),
        rmse=None if classes else 54.0 - 2 * robust,
        train_loss=curve(rng, x, 2.2 * fall + 0.01 + 0.05 * robust, 0.004),
        validation_loss=curve(rng, x, 2.0 * fall + 0.3 - 0.1 * robust + 0.004 * np.array(x) * (1 - robust), 0.01),
        validation_score=curve(rng, x, score - 0.8 * fall, 0.006),
        figures=figures(rng, score, robust, kind, classes),
    )


def ladder(rng: np.random.Generator, centre: float, score: float) -> list[Rung]:
    def rung(i: int) -> Rung:
        kept = (1, 2, 3, 1, 1)[i]
        values = (
            score - 0.004 * (i - 2) ** 2 - (0.3 if i == 4 else 0) + 0.006 * rng.standard_normal(sum(SEARCHED[:kept]))
        )
        mean = float(values.mean())
        return Rung(strength=centre * 2.0 ** (i - 2), validation=values.tolist(), mean=mean, diverged=0, kept_for=kept)

    return [rung(i) for i in range(5)]


def sample(rng: np.random.Generator, kind: str, strength: float) -> Sample:
    same = np.random.default_rng(5)  # the clean examples are the same for every noise
    if kind == "image":
        y, x = np.mgrid[-1:1:12j, -1:1:12j]
        clean = [
            255 * np.exp(-8 * (np.hypot(x - same.normal(0, 0.2), y) - same.uniform(0.2, 0.7)) ** 2) for _ in range(6)
        ]
        noisy = [np.clip(c + 255 * strength * rng.standard_normal(c.shape), 0, 255) for c in clean]
        return Sample(
            kind="image",
            names=[f"digit {i}" for i in range(6)],
            clean=[c.astype(int).tolist() for c in clean],
            noisy=[c.astype(int).tolist() for c in noisy],
        )
    if kind == "table":
        row = same.standard_normal(12).round(5)
        noisy = np.where(rng.random(12) < 0.7, row + strength * rng.standard_normal(12), row)
        names = [f"feature {i}" for i in range(9)] + ["Größe (cm)", "年齢", "a" * 60]
        return Sample(kind="table", names=names, clean=row.tolist(), noisy=noisy.tolist())
    clean_words = [["a", "film", "that", "never", "lets", "go"], ["dull", ",", "and", "far", "too", "long"]]
    noisy_words = [["a", "film", "that", "car", "lets", "go"], ["dull", "and", "far", "too", "long"]]
    return Sample(kind="text", names=[], clean=clean_words, noisy=noisy_words)


def noise(
    rng: np.random.Generator, name: str, unit: str, strength: float, gain: float, kind: str, base: float, classes: bool
) -> Noise:
    robust = float(np.clip(0.4 + 0.3 * gain, 0.05, 0.95))
    found = difference(rng, gain)
    return Noise(
        name=name,
        description=f"Made-up noise called {name}",
        unit=unit,
        by_rule=0.8 * strength,
        advised=1.5 * strength,
        ladder=ladder(rng, strength, base + gain / 100),
        chosen=Chosen(
            strength=strength,
            plan=f"injections:\n- noise: {{kind: gaussian, strength: {strength}}}\n  at: inputs\n",
            code=[
                "import torch, torchnoise as tn",
                f"plan = tn.Plan(tn.Injection(tn.Gaussian({strength}), at=tn.Inputs()))",
                "with tn.attach(model, plan, seed=0, optimizer=optimizer):",
                "    train(model, optimizer)  # your training loop, as it is",
            ],
            at_edge="strongest" if name == "fgsm" else None,
        ),
        arm=arm(rng, base + found.mean / 100, robust, kind, classes),
        difference=found,
        sites=[
            Site(site=f"layers.{i}", shape="96x64", unit=unit, rms=0.1 * (i + 1), snr_db=14.0 - 2 * i) for i in range(3)
        ]
        + [Site(site="embeddings", shape="96x12", unit="", rms=None, snr_db=None)],
        sample=sample(rng, kind, 0.3) if "input" in name or name == "salt_and_pepper" else None,
        verdict=found.verdict,
    )


def diverged(one: Noise) -> Noise:
    rungs = [
        r.model_copy(update={"diverged": 2, "kept_for": 1, "validation": [0.1, 0.1], "mean": 0.1}) for r in one.ladder
    ]
    nothing = {"chosen": None, "arm": None, "difference": None, "sites": [], "sample": None, "verdict": "diverged"}
    return one.model_copy(update={"ladder": rungs, **nothing})
