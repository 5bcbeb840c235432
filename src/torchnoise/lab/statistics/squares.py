"""What a table of paired differences [seeds, examples] says about chance: pure functions of its mean squares.

Both a run's seed and the choice of test examples are chance, and they are crossed: every seed meets every example. So a
difference is mu + a[seed] + b[example] + e[seed, example], and the mean over S seeds and N examples has the variance
(MS_seeds + MS_examples - MS_residual) / (S N), the mean squares being those of a two-way analysis of variance.
Radiology compares readers on cases in the same way (Dorfman, Berbaum and Metz 1992; Hillis 2007).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

LEAST_P = 1e-100  # below it p is 0


@dataclass(frozen=True)
class Spread:
    """by_seeds, by_examples, residual: mean squares, in squared points;  unseen: the standard error, in points, of what
    so few test examples showed that it counts as not seen."""

    seeds: int
    examples: int
    by_seeds: float
    by_examples: float
    residual: float
    unseen: float = 0.0

    @property
    def of_seeds(self) -> float:
        """What of the mean's variance falls as 1 / seeds. A component of variance is never negative, so that the mean
        square of the seeds stands for no less than the residual's."""
        return max(self.by_seeds, self.residual) / (self.seeds * self.examples)

    @property
    def of_examples(self) -> float:
        """What more seeds do not lower: these test examples are not all there could be."""
        return max(self.by_examples - self.residual, 0.0) / (self.seeds * self.examples) + self.unseen**2

    @property
    def standard_error(self) -> float:
        return math.sqrt(self.of_seeds + self.of_examples)

    @property
    def seeds_share(self) -> float:
        """The share of the variance that more seeds would lower."""
        whole = self.of_seeds + self.of_examples
        return self.of_seeds / whole if whole else 0.0

    @property
    def examples_share(self) -> float:
        """The share that more test examples would lower. What does not average out in either way is in both."""
        whole = self.of_seeds + self.of_examples
        own = max(self.by_seeds - self.residual, 0.0) / (self.seeds * self.examples)
        return 1.0 - own / whole if whole else 0.0

    def half_width(self, alpha: float) -> float:
        """Half of the interval that misses the true mean with probability alpha.

        Each part of the variance brings the quantile of its own degrees of freedom (Howe 1974). Satterthwaite's
        degrees for their sum would give a shorter interval, which misses too often where seeds are few:
        docs/evidence/verdict.md.
        """
        cells, free = self.seeds * self.examples, (self.seeds - 1) * (self.examples - 1)
        of_seeds, of_examples = quantile(alpha, self.seeds - 1), quantile(alpha, self.examples - 1)
        seeds = max(of_seeds**2 * self.by_seeds, quantile(alpha, free) ** 2 * self.residual) / cells
        return math.sqrt(seeds + of_examples**2 * self.of_examples)

    def p_of(self, mean: float) -> float:
        """The least alpha whose interval around `mean` leaves out 0: a two-sided p-value."""
        from scipy.optimize import brentq

        if mean == 0.0 or self.half_width(LEAST_P) <= abs(mean):
            return 1.0 if mean == 0.0 else 0.0
        found = brentq(lambda log: self.half_width(math.exp(log)) - abs(mean), math.log(LEAST_P), 0.0, xtol=1e-12)
        return math.exp(found)


def quantile(alpha: float, degrees: float) -> float:
    """Beyond which Student's t is, on either side, with probability alpha."""
    from scipy.special import stdtrit

    return -float(stdtrit(degrees, alpha / 2))


def spread_of(differences: np.ndarray, unseen: float = 0.0) -> Spread:
    """The mean squares of a table [seeds, examples]."""
    seeds, examples = differences.shape
    mean, rows, columns = differences.mean(), differences.mean(1), differences.mean(0)
    rest = differences - rows[:, None] - columns[None, :] + mean
    return Spread(
        seeds,
        examples,
        by_seeds=float(examples * ((rows - mean) ** 2).sum() / (seeds - 1)),
        by_examples=float(seeds * ((columns - mean) ** 2).sum() / (examples - 1)),
        residual=float((rest**2).sum() / ((seeds - 1) * (examples - 1))),
        unseen=unseen,
    )
