"""The shape of results.json, version 2. Its JSON Schema is docs/results.schema.json.

Scores are shares (accuracy, or the explained share of the variance, R2); differences are in points: 100 x the share.
Lists "by seed" are in the order of the final seeds.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, FiniteFloat, JsonValue

SCHEMA_VERSION: Literal[2] = 2
Kind = Literal["table", "image", "text"]
Metric = Literal["accuracy", "R2"]
Phase = Literal["search", "final"]
Edge = Literal["weakest", "strongest"]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Difference(_Value):
    """A paired difference of test scores, in points, over seeds and test examples.

    p_adjusted: after the correction for looking at several;  detectable: the smallest true difference that such a
    comparison finds four times in five;  seeds_share: the share of the error's variance that more seeds would lower;
    by_seed: each seed's own difference;  verdict: a word from statistics.
    """

    mean: FiniteFloat
    low: FiniteFloat
    high: FiniteFloat
    p: FiniteFloat
    p_adjusted: FiniteFloat
    detectable: FiniteFloat
    seeds_share: FiniteFloat
    by_seed: list[FiniteFloat]
    verdict: str


class Curve(_Value):
    """Something against a rising quantity, by seed: y[seed][i] belongs to x[i]. None where it is not finite."""

    x: list[FiniteFloat]
    y: list[list[FiniteFloat | None]]


class Corruption(_Value):
    """Test scores under a corruption at severities 1 to 5. said: what severity 1 and 5 are, in words."""

    name: str
    said: str
    scores: Curve


class Reliability(_Value):
    """The calibration diagram, over all seeds: for each bin of confidence its mean, the share of right answers, and
    its share of the examples."""

    confidence: list[FiniteFloat]
    accuracy: list[FiniteFloat]
    share: list[FiniteFloat]


class Figures(_Value):
    """What was measured of a trained arm, by seed, on the test part where nothing else is said.

    nll: mean negative log-likelihood (of a number: under a Gaussian whose variance is the validation part's error);
    calibration_error: expected, over 15 bins of equal width, None where a number is learned;  gap: training score
    minus test score;  sharpness: the mean training loss under weight noise, whose sigma (relative to each matrix's
    rms) is x;  fgsm: the score under the fast gradient sign method, whose epsilon is x: of images in their own unit, of
    tables and texts in the rms of the inputs or embeddings. A number's nll is that of the standardised target.
    """

    nll: list[FiniteFloat]
    calibration_error: list[FiniteFloat] | None
    reliability: Reliability | None
    gap: list[FiniteFloat]
    corruptions: list[Corruption]
    fgsm: Curve | None
    sharpness: Curve | None


class Arm(_Value):
    """One way to train, over the final seeds: scores by seed, learning curves over epochs (x: epochs, from 1)."""

    validation: list[FiniteFloat]
    train: list[FiniteFloat]
    test: list[FiniteFloat]
    test_mean: FiniteFloat
    rmse: FiniteFloat | None  # on the test part in the target's own unit, where a number is learned
    train_loss: Curve
    validation_loss: Curve
    validation_score: Curve
    figures: Figures | None


class Clean(_Value):
    """Training without noise. search_validation: over the search's seeds."""

    arm: Arm
    search_validation: list[FiniteFloat]


class Rung(_Value):
    """One strength in the search. validation: by search seed, as many as it got before it was dropped."""

    strength: FiniteFloat
    validation: list[FiniteFloat]
    mean: FiniteFloat
    diverged: int
    kept_for: int  # rounds of the search


class Site(_Value):
    """Where noise entered at the first step, and how strong it was there: rms of the signal and of the noise, SNR."""

    site: str
    shape: str
    unit: str
    rms: FiniteFloat | None
    snr_db: FiniteFloat | None


class Sample(_Value):
    """What noisy inputs look like. rows: for images, values 0 to 255 [height][width] of the first channel(s); for
    tables, one number a feature; for text, words. clean and noisy belong together."""

    kind: Literal["image", "table", "text"]
    names: list[str]
    clean: list[JsonValue]
    noisy: list[JsonValue]


class Chosen(_Value):
    """The strength that the search chose. plan: as YAML; code: the same in a training script, in four lines."""

    strength: FiniteFloat
    plan: str
    code: list[str]
    at_edge: Edge | None


class Noise(_Value):
    """A noise: how it was searched and what it did at its chosen strength; None where it diverged everywhere.

    advised: the strength at which a clean model's validation loss rises by the stated share, None where it was not
    measured;  difference: against clean;  by_rule: the rule of thumb's strength.
    """

    name: str
    description: str
    unit: str
    by_rule: FiniteFloat
    advised: FiniteFloat | None
    ladder: list[Rung]
    chosen: Chosen | None = None
    arm: Arm | None = None
    difference: Difference | None = None
    sites: list[Site] = []
    sample: Sample | None = None
    verdict: str


class Combination(_Value):
    """The winner (`first`) beside something else (`second`): each alone and both together, against clean.

    interaction: together - first - second, in points: below zero, they overlap; adds_up: in a word.
    """

    first: str
    second: str
    description: str
    strength: FiniteFloat | None
    alone: Difference
    together: Difference
    interaction: Difference
    adds_up: str


class Verdict(_Value):
    """The verdict in a word, as a headline, a sentence, and what to bear in mind, sentence by sentence."""

    word: str
    headline: str
    sentence: str
    caveats: list[str]


class Search(_Value):
    """How strengths and the winner were found. rounds: seeds added in each; rise: by which the ladder was advised."""

    rounds: list[int]
    rise: FiniteFloat | None
    runs: int
    runs_of_full_grid: int


class DataFacts(_Value):
    """The data. spread: what one point of R2 is; sizes: of the parts."""

    name: str
    kind: Kind
    said: str
    doubts: list[str]
    classes: list[str] | None
    metric: Metric
    shape: list[int]
    sizes: dict[str, int]
    split_by: str
    fingerprint: str
    majority: FiniteFloat | None  # the share of the commonest class in the test part


class ModelFacts(_Value):
    """The model and how it was trained."""

    name: str
    described: str
    parameters: int
    epochs: int
    batch_size: int
    learning_rate: FiniteFloat
    weight_decay: FiniteFloat
    warmup: FiniteFloat


class RunRow(_Value):
    """One training run: its parts are (name, strength), none for clean; phase: "search" or "final"."""

    parts: list[tuple[str, FiniteFloat]]
    phase: Phase
    seed: int
    validation: FiniteFloat
    train: FiniteFloat
    validation_loss: FiniteFloat | None
    train_loss: FiniteFloat | None
    diverged: str | None


class Results(_Value):
    """All that a comparison found. The same command gives the same file, bit for bit; what a clock measured is in
    timing.json.

    command: what was typed, where it was typed, without what changes no number (--out, --jobs and the like).
    """

    schema_version: Literal[2]
    command: str = ""
    seed: int
    seeds: int
    confidence: FiniteFloat
    versions: dict[str, str]
    data: DataFacts
    model: ModelFacts
    search: Search
    clean: Clean
    noises: list[Noise]
    combinations: list[Combination]
    winner: str | None
    verdict: Verdict
    runs: list[RunRow]
