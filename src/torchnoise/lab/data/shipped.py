"""The data sets that come with scikit-learn."""

from __future__ import annotations

import numpy as np

from ...errors import nearest
from .arrays import examples_of_arrays
from .examples import Examples

SETS = ("breast_cancer", "diabetes", "digits", "iris", "wine")
PREFIX = "sklearn:"


def load_digits() -> Examples:
    """1797 handwritten digits: 8 x 8 grey images."""
    from sklearn.datasets import load_digits as load

    x, y = load(return_X_y=True)
    return examples_of_arrays("digits", (x / 16.0).reshape(-1, 1, 8, 8), y)


def load_shipped(name: str) -> Examples:
    """One of scikit-learn's sets by its name.

    Raises:
        ValueError: no such set.
    """
    from sklearn import datasets

    if name == "digits":
        return load_digits()
    if name not in SETS:
        raise ValueError(f"--data {PREFIX}{name}: scikit-learn ships no such set; {nearest(name, SETS)}")
    found = getattr(datasets, f"load_{name}")()
    names = getattr(found, "target_names", None)
    classes = None if names is None or not len(names) else [str(n) for n in names]
    x = np.asarray(found.data)
    return examples_of_arrays(
        PREFIX + name, x, found.target, features=[str(n) for n in found.feature_names], classes=classes
    )
