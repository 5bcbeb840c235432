"""One run with noise, one without, and a conclusion."""

from __future__ import annotations

from itertools import combinations

from demonstrate import accuracy, digits, fit, mlp, sgd, show
from scipy.stats import ttest_1samp
from torch import nn

import torchnoise as tn
from torchnoise.lab.statistics import verdict

data = digits()
SEEDS = range(10)


def run(seed: int, *injections: tn.Injection) -> float:
    """Test accuracy. Runs of one seed begin with the same weights and see the same batches."""
    model = mlp(seed)
    optimizer = sgd(model)
    with tn.attach(model, tn.Plan(*injections), seed=seed, optimizer=optimizer):
        fit(model, optimizer, data.x, data.y, epochs=20, seed=seed)
    return accuracy(model, data.x_test, data.y_test)


# As it is typed: one run, another run, and the difference is the method's; here there is no method
clean = [run(seed) for seed in SEEDS]
gains = [abs(b - a) for a, b in combinations(clean, 2)]
print("ten clean runs, test accuracy, %:", *(f"{a:.1f}" for a in clean))
half = sum(gain >= 0.5 for gain in gains) / len(gains)
print(f"two of them differ by up to {max(gains):.1f} points; {half:.0%} of all pairs by half a point or more")

# What to type instead: torchnoise compare, which does this with strengths chosen on validation data
table = []
for name, injection in (
    ("tn.Gaussian(0.15) at tn.Inputs()", tn.Injection(tn.Gaussian(0.15), at=tn.Inputs())),
    ("tn.Bernoulli(0.2) at ReLU", tn.Injection(tn.Bernoulli(0.2), at=tn.Activations(nn.ReLU))),
):
    pairs = [run(seed, injection) - clean[seed] for seed in SEEDS]
    mean, test = sum(pairs) / len(pairs), ttest_1samp(pairs, 0.0)
    low, high = test.confidence_interval()
    single, between = f"{min(pairs):+.1f} to {max(pairs):+.1f}", f"{low:+.2f} to {high:+.2f}"
    table.append((name, single, f"{mean:+.2f}", between, verdict(mean, test.pvalue)))
print()
show("ten paired seeds, points|single seeds|mean|95 % interval|", *table)
