"""What a comparison needs before it begins: data, model, and who takes part."""

from __future__ import annotations

from typing import NamedTuple

from torch import nn

from .data import Data, SealedTest, load
from .entrants import Entrants, find_entrants
from .models import Model, find
from .run import Bench
from .settings import Settings

# Few training examples, so that the model overfits; many for the test, so that one of them weighs little.
SHARES = {"digits": (0.4, 0.2, 0.4)}
SHARES_OF_OTHERS = (0.5, 0.2, 0.3)


class Prepared(NamedTuple):
    """bench: what all runs share;  net: a network as runs begin with;  test: sealed."""

    bench: Bench
    entrants: Entrants
    net: nn.Module
    test: SealedTest


def read_data(settings: Settings) -> tuple[Data, SealedTest]:
    """The data that the settings name.

    Raises:
        ValueError: data that cannot be read; one line.
    """
    source = settings.source
    shares = SHARES.get(source.data, SHARES_OF_OTHERS)
    return load(
        source.data,
        target=source.target,
        text=source.text,
        group=source.group,
        time=source.time,
        limit=source.limit,
        seed=settings.seed,
        shares=shares,
    )


def build(settings: Settings, data: Data, test: SealedTest) -> tuple[Model, Data, SealedTest]:
    """The model for the data, and the data as it takes them."""
    model = find(settings.model or data.usual_model, data)
    if model.encoder is not None:
        data, test = data.encoded(model.encoder), test.encoded(model.encoder)
    return model, data, test


def prepare(settings: Settings) -> Prepared:
    """All of it.

    Raises:
        ValueError, LookupError: data, a model or a noise that does not exist or does not fit; one line.
    """
    model, data, test = build(settings, *read_data(settings))
    bench = Bench(data, model, settings.training(model.training), settings.seed, settings.device)
    net = model.build(0)
    entrants = find_entrants(settings.noises, data, net, model)
    for name in settings.strengths:
        if name not in entrants.noises:
            raise ValueError(f"--strengths names {name!r}, allowed: {', '.join(entrants.noises)}")
    return Prepared(bench, entrants, net, test)
