"""Statistics with p-values. Two-sided throughout: a stream that fits too well is as wrong as one that does not fit."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from scipy import special, stats

CHUNK = 1 << 22  # elements widened to float64 at a time
MOMENT = {k: math.prod(range(k - 1, 0, -2)) if k % 2 == 0 else 0 for k in range(13)}  # of N(0, 1): (k - 1)!! or 0


def chunks(x: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Parts of x in float64, with where they begin."""
    for begin in range(0, len(x), CHUNK):
        yield begin, x[begin : begin + CHUNK].astype(np.float64)


def both(below: float, above: float) -> float:
    """The two-sided p-value from the chances of so little and of so much."""
    return float(min(1.0, 2 * min(below, above)))


def of_z(z: float) -> float:
    """The two-sided p-value of a standard score."""
    return float(2 * stats.norm.sf(abs(z)))


def of_count(count: int, n: int, p: float) -> float:
    """Of a binomial count, exact."""
    return both(stats.binom.cdf(count, n, p), stats.binom.sf(count - 1, n, p))


def of_rare(count: int, mean: float) -> float:
    """Of a Poisson count, exact."""
    return both(stats.poisson.cdf(count, mean), stats.poisson.sf(count - 1, mean))


def of_chi_square(value: float, degrees: float) -> float:
    return both(stats.chi2.cdf(value, degrees), stats.chi2.sf(value, degrees))


def of_counts(counts: np.ndarray) -> float:
    """Chi-square of cells with equal chances."""
    expected = counts.sum() / counts.size
    return of_chi_square(float(((counts - expected) ** 2).sum() / expected), counts.size - 1)


def moment_scores(x: np.ndarray) -> dict[int, float]:
    """Standard scores of the moments 1 to 6 against those of N(0, 1)."""
    sums = np.zeros(7)
    for _, z in chunks(x):
        power = np.ones_like(z)
        for k in range(1, 7):
            power *= z
            sums[k] += power.sum()
    return {
        k: (sums[k] / len(x) - MOMENT[k]) / math.sqrt((MOMENT[2 * k] - MOMENT[k] ** 2) / len(x)) for k in range(1, 7)
    }


def kolmogorov_smirnov(ordered: np.ndarray, cdf: Callable[[np.ndarray], np.ndarray]) -> float:
    """p-value of the largest distance between the empirical distribution and `cdf`."""
    n, gap = len(ordered), 0.0
    for begin, z in chunks(ordered):
        wanted, found = cdf(z), (begin + np.arange(len(z))) / n
        gap = max(gap, float((wanted - found).max()), float((found + 1 / n - wanted).max()))
    x = gap * math.sqrt(n)
    return both(stats.kstwobign.cdf(x), stats.kstwobign.sf(x))


def anderson_darling(ordered: np.ndarray) -> float:
    """p-value of A^2 against N(0, 1), nothing estimated; it weighs the tails, where Kolmogorov-Smirnov is blind."""
    n, total = len(ordered), 0.0
    backwards = ordered[::-1]
    for begin, z in chunks(ordered):
        rank = begin + np.arange(len(z))
        mirrored = backwards[begin : begin + CHUNK].astype(np.float64)
        # A^2 is the sum less n; the 1 taken off each term keeps the total, and so its rounding, small
        logs = special.log_ndtr(z) + special.log_ndtr(-mirrored)
        total += float(((2 * rank + 1) / n * (-logs) - 1.0).sum())
    below = anderson_darling_cdf(total)
    return both(below, 1.0 - below)


def anderson_darling_cdf(a: float) -> float:
    """The limiting distribution of A^2, to 2e-6.

    Source: Marsaglia, Marsaglia, "Evaluating the Anderson-Darling distribution", J. Stat. Software 9(2), 2004.
    """
    if a < 2:
        inner = 0.0116720 - 0.00168691 * a
        inner = 2.00012 + (0.247105 - (0.0649821 - (0.0347962 - inner * a) * a) * a) * a
        return math.exp(-1.2337141 / a) / math.sqrt(a) * inner
    inner = 0.43424 - (0.082433 - (0.008056 - 0.0003146 * a) * a) * a
    return math.exp(-math.exp(1.0776 - (2.30695 - inner * a) * a))


def equiprobable_bins(ordered: np.ndarray, inverse_cdf: Callable[[np.ndarray], np.ndarray], bins: int) -> float:
    """Chi-square on bins of equal chance, counted on the sorted sample."""
    edges = inverse_cdf(np.arange(1, bins) / bins).astype(ordered.dtype)
    places = np.searchsorted(ordered, edges)
    return of_counts(np.diff(np.concatenate(([0], places, [len(ordered)]))))


def tails(ordered: np.ndarray) -> dict[str, tuple[int, float, float]]:
    """Beyond 3, 4 and 5 standard deviations, each side: count, expectation, p-value."""
    found, n = {}, len(ordered)
    for k in (3, 4, 5):
        p = float(stats.norm.sf(k))
        below = int(np.searchsorted(ordered, np.float32(-k)))
        above = n - int(np.searchsorted(ordered, np.float32(k), side="right"))
        found[f"below -{k}"] = below, n * p, of_count(below, n, p)
        found[f"above {k}"] = above, n * p, of_count(above, n, p)
    return found


def largest(ordered: np.ndarray) -> tuple[float, float]:
    """The largest |z| and its p-value."""
    most = max(-float(ordered[0]), float(ordered[-1]))
    none_beyond = math.exp(len(ordered) * math.log1p(-2 * float(stats.norm.sf(most))))
    return most, both(none_beyond, 1.0 - none_beyond)


FUNCTIONS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float]] = {  # centred, and the variance
    "z": (lambda z: z, 1.0),
    "z²": (lambda z: z * z - 1.0, 2.0),
    "|z|": (lambda z: np.abs(z) - math.sqrt(2 / math.pi), 1.0 - 2 / math.pi),
}


def correlation_scores(streams: np.ndarray) -> dict[str, tuple[float, float]]:
    """Of N(0, 1) rows, for each function: the score of adjacent rows pooled, and the p-value of all pairs."""
    count, n = streams.shape
    found = {}
    for name, (function, variance) in FUNCTIONS.items():
        gram = np.zeros((count, count))
        for begin in range(0, n, CHUNK // count):
            part = function(streams[:, begin : begin + CHUNK // count].astype(np.float64))
            gram += part @ part.T
        scores = gram / (variance * math.sqrt(n))
        pooled = float(np.diagonal(scores, 1).sum() / math.sqrt(count - 1))
        pairs = scores[np.triu_indices(count, 1)]
        found[name] = pooled, of_chi_square(float((pairs**2).sum()), pairs.size)
    return found


def lag_scores(x: np.ndarray, lag: int, phase: int | None = None) -> dict[str, float]:
    """Scores of the correlation of elements e and e + lag: for all e, or for those with e mod 4 = phase."""
    first, second = x[: len(x) - lag], x[lag:]
    if phase is not None:
        first, second = first[phase::4], second[phase::4]
    found = dict.fromkeys(FUNCTIONS, 0.0)
    for begin, a in chunks(first):
        b = second[begin : begin + CHUNK].astype(np.float64)
        for name, (function, variance) in FUNCTIONS.items():
            found[name] += float(function(a) @ function(b)) / variance
    return {name: total / math.sqrt(len(first)) for name, total in found.items()}


def plane(x: np.ndarray, y: np.ndarray, side: int = 64) -> float:
    """Chi-square of pairs of normal deviates on side x side cells of equal chance."""
    edges = special.ndtri(np.arange(1, side) / side)
    counts = np.zeros(side * side, np.int64)
    for begin, a in chunks(x):
        b = y[begin : begin + CHUNK].astype(np.float64)
        counts += np.bincount(np.searchsorted(edges, a) * side + np.searchsorted(edges, b), minlength=side * side)
    return of_counts(counts)


def bit_tests(words: np.ndarray) -> dict[str, float]:
    """Of uint32 words: p-values of all bit positions together, of the worst bit, and of the bytes."""
    octets = np.ascontiguousarray(words).reshape(-1).view(np.uint8).reshape(-1, 4)
    n = len(octets)
    histograms = np.stack([np.bincount(octets[:, i], minlength=256) for i in range(4)])
    has_bit = (np.arange(256)[:, None] >> np.arange(8)) & 1
    scores = ((histograms @ has_bit) - n / 2) / math.sqrt(n / 4)
    worst = of_z(float(np.abs(scores).max()))
    value = ((histograms - n / 256) ** 2).sum() / (n / 256)
    return {
        "bits": of_chi_square(float((scores**2).sum()), 32),
        "worst bit": float(-np.expm1(32 * np.log1p(-worst))),
        "bytes": of_chi_square(float(value), 4 * 255),
    }
