"""NumPy's archives of arrays."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from .arrays import examples_of_arrays, in_two_parts
from .asked import listed
from .examples import Examples

_ALLOWED = "x and y; x_train, y_train, x_test and y_test; or two arrays, the second being y"
_PAIRS = (("x", "y"), ("data", "target"), ("images", "labels"), ("features", "labels"))


def load_npz(path: Path) -> Examples:
    """The arrays of a file .npz, of which nothing is unpickled.

    Raises:
        ValueError: no such file, or other arrays.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
            arrays = {name.lower(): found[name] for name in found.files}
    except (OSError, EOFError, ValueError, TypeError, AttributeError, zipfile.BadZipFile) as problem:
        why = getattr(problem, "strerror", None) or " ".join(str(problem).split())
        raise ValueError(f"{path}: {why}; allowed: arrays of numbers or texts, written by numpy.savez") from None
    if {"x_train", "y_train", "x_test", "y_test"} <= set(arrays):
        for one, other in (("x_train", "x_test"), ("y_train", "y_test")):
            if arrays[one].shape[1:] != arrays[other].shape[1:]:
                raise ValueError(f"{path}: {one} {arrays[one].shape} and {other} {arrays[other].shape} differ in shape")
        x, given = in_two_parts(arrays["x_train"], arrays["x_test"])
        y, rows = in_two_parts(arrays["y_train"], arrays["y_test"])
        if len(y) != len(x) or (given != rows).any():
            raise ValueError(f"{path}: x_train and y_train, or x_test and y_test, have not as many rows")
        return examples_of_arrays(path.name, x, y, given=given)
    for x_name, y_name in _PAIRS:
        if {x_name, y_name} <= set(arrays):
            return examples_of_arrays(path.name, arrays[x_name], arrays[y_name])
    if len(arrays) == 2:
        return examples_of_arrays(path.name, *arrays.values())
    raise ValueError(f"{path}: it has {listed(sorted(arrays)) or 'nothing'}, allowed: {_ALLOWED}")
