"""A table's inputs as numbers, by scikit-learn, which learns how from the training rows only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .columns import CATEGORIES, DATES, NUMBERS, TEXTS, Column
from .dates import cyclic
from .split import Parts
from .words import TfidfEncoder

MOST = 100  # categories of one column that get an input each; rarer ones share one
MOST_TOGETHER = 20_000  # inputs of all columns of categories together, so that 10,000 columns fit into memory
MOST_WORDS = 200  # inputs of a column of texts
RARE = "(rare)"


class Made(NamedTuple):
    """x: each part's, float32 [N, features];  names: of the features."""

    x: list[np.ndarray]
    names: tuple[str, ...]


def make_features(columns: Sequence[Column], parts: Parts) -> Made:
    """Numbers and dates standardised (their median where one misses), one input a category, TF-IDF of texts."""
    kinds = {kind: [c for c in columns if c.kind == kind] for kind in (NUMBERS, DATES, CATEGORIES, TEXTS)}
    made = [*_numbers(kinds[NUMBERS], kinds[DATES], parts), *_categories(kinds[CATEGORIES], parts)]
    for column in kinds[TEXTS]:
        made += _texts(column, parts)
    x = [np.concatenate([m.x[part] for m in made], axis=1) for part in range(len(parts))]
    return Made(x, tuple(name for m in made for name in m.names))


def standardised(values: np.ndarray, parts: Parts) -> list[np.ndarray]:
    """Each part's rows of float64 [N, features], less the training part's mean and in its standard deviations, with its
    median where a number misses. What is the same in each training row is 0."""
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    learned = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    with np.errstate(over="ignore", invalid="ignore"):
        learned.fit(values[parts.train])
        return [learned.transform(values[rows]).astype(np.float32) for rows in parts]


def _numbers(plain: list[Column], dates: list[Column], parts: Parts) -> list[Made]:
    named = {column.name: column.values for column in plain}
    for column in dates:
        assert column.values is not None
        named |= {f"{column.name} (days)": column.values} | cyclic(column.name, column.values)
    if not named:
        return []
    return [Made(standardised(np.stack(list(named.values()), axis=1), parts), tuple(named))]  # type: ignore[arg-type]


def _categories(columns: list[Column], parts: Parts) -> list[Made]:
    from sklearn.preprocessing import OneHotEncoder

    if not columns:
        return []
    values = np.empty((len(columns[0].cells), len(columns)), dtype=object)
    for i, column in enumerate(columns):
        values[:, i] = [cell or "(missing)" for cell in column.cells]
    encoder = OneHotEncoder(
        max_categories=max(2, min(MOST, MOST_TOGETHER // len(columns))),
        handle_unknown="infrequent_if_exist",
        sparse_output=False,
        dtype=np.float32,
        feature_name_combiner=_feature_name,
    ).fit(values[parts.train])
    names = encoder.get_feature_names_out([column.name for column in columns])
    together = encoder.transform(values[np.concatenate(parts)])  # which takes most of the time for each column
    return [Made(np.split(together, np.cumsum([len(rows) for rows in parts])[:-1]), tuple(map(str, names)))]


def _feature_name(column: str, category: str) -> str:
    return f"{column}={RARE if category == 'infrequent_sklearn' else category}"


def _texts(column: Column, parts: Parts) -> list[Made]:
    texts = [[column.cells[row] or "" for row in rows] for rows in parts]
    encoder = TfidfEncoder.learned(texts[0], MOST_WORDS)
    return [Made([encoder(part).numpy() for part in texts], tuple(f"{column.name}: {w}" for w in encoder.words))]
