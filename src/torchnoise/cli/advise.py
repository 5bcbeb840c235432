"""`torchnoise advise`: how strong noise may be at each site of a model, and each noise as a whole."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from ..lab.advise import Advice, Probe, SitesAdvice, advise, advise_sites, effort_for
from ..lab.models.built_in import BuiltIn
from ..lab.prepare import Prepared, prepare
from ..lab.run import train
from ..lab.settings import CLEAN_PARTS, SEARCH, Run, Settings, Source
from ..lab.store import without_nan
from ..lab.treatments import Treatment
from . import say
from .advice import show


@dataclass(frozen=True)
class Wishes:
    """What the flags say. train: epochs of clean training before; None: a built-in model's own, none for others."""

    model: str
    source: Source
    noises: str | None = None
    rise: float = 0.1
    weights: Path | None = None
    train: int | None = None
    sites: int = 40
    seed: int = 0
    device: str = "cpu"


def run_advise(wishes: Wishes, as_json: bool = False) -> int:
    """The command's work; returns the exit status."""
    try:
        prepared = prepare(_settings(wishes))
        for doubt in prepared.bench.data.doubts:
            say(doubt)
        net, how = ready(wishes, prepared)
        bench = prepared.bench
        probe = Probe(net, bench.model, bench.data, wishes.seed, effort_for(net, by_site=True))
        with showing("sites", not as_json) as progress:
            sites = advise_sites(probe, rise=wishes.rise, most=wishes.sites, progress=progress)
        noises = prepared.entrants.noises
        with showing("noises", not as_json) as progress:
            found = advise(net, bench.model, bench.data, noises, rise=wishes.rise, seed=wishes.seed, progress=progress)
    except (ValueError, LookupError) as error:
        say(str(error.args[0] if isinstance(error, KeyError) else error))
        return 2
    except RuntimeError as error:
        say(str(error))
        return 1
    warnings = warnings_of(probe, sites)
    for warning in warnings:
        say(warning)
    if as_json:
        print(json.dumps(without_nan(as_dict(wishes, probe, how, found, sites, warnings)), indent=1, allow_nan=False))
    else:
        show(probe, how, wishes.rise, found, sites)
    return 0


def _settings(wishes: Wishes) -> Settings:
    """Settings from flags. Raises ValueError with one clear line."""
    if wishes.weights is not None and wishes.train is not None:
        raise ValueError("--train beside --weights, allowed: one of them")
    for flag, value, low in (("--train", wishes.train, 0), ("--sites", wishes.sites, 1)):
        if value is not None and value < low:
            raise ValueError(f"{flag} is {value}, allowed: a whole number from {low}")
    noises = None if wishes.noises is None else tuple(n.strip() for n in wishes.noises.split(",") if n.strip())
    how: dict[str, Any] = {"noises": noises, "rise": wishes.rise, "seed": wishes.seed, "device": wishes.device}
    return Settings(wishes.source, wishes.model, **how)


def ready(wishes: Wishes, prepared: Prepared) -> tuple[nn.Module, str]:
    """The network that is asked, and how it came to its weights, in words."""
    bench = prepared.bench
    if wishes.weights is not None:
        return load_weights(prepared.net, wishes.weights).to(bench.device), f"with the weights of {wishes.weights}"
    epochs = wishes.train
    if epochs is None:
        epochs = bench.training.epochs if isinstance(bench.model, BuiltIn) else 0
    if epochs == 0:
        return prepared.net.to(bench.device), "with the weights that it has"
    training = replace(bench.training, epochs=epochs)
    net, outcome = train(Run(CLEAN_PARTS, SEARCH, 0), Treatment(), replace(bench, training=training))
    if outcome.diverged is not None:
        raise RuntimeError(f"training without noise diverged, so there is nothing to advise by: {outcome.diverged}")
    return net, f"trained without noise for {epochs} epoch{'s' if epochs > 1 else ''}"


def load_weights(net: nn.Module, path: Path) -> nn.Module:
    """The network with a file's weights. Raises ValueError with one line."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        net.load_state_dict(load_file(path))
    except (OSError, SafetensorError) as error:
        raise ValueError(f"--weights {path}: {' '.join(str(error).split())}; allowed: a .safetensors file") from None
    except RuntimeError as error:  # torch lists every key that does not fit
        first = next((line.strip() for line in str(error).splitlines()[1:]), str(error))
        raise ValueError(f"--weights {path} does not fit the model: {first[:300]}") from None
    return net


def warnings_of(probe: Probe, sites: SitesAdvice) -> list[str]:
    """What to bear in mind, a line each."""
    found = []
    if probe.clean >= probe.chance:
        found.append(
            f"the model's loss, {probe.clean:.3g}, is no better than chance, {probe.chance:.3g}: advice for a network "
            "that has learned nothing means little; --train EPOCHS trains it, --weights FILE brings weights"
        )
    if sites.left_out:
        found.append(
            f"{sites.left_out} of the model's sites were not looked at, evenly spread; --sites N sets how many are"
        )
    return found + [f"not looked at: {line}" for line in sites.refused]


@contextmanager
def showing(what: str, wanted: bool) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on standard error while something is done, where that is a terminal."""
    if not (wanted and sys.stderr.isatty()):
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def as_dict(
    wishes: Wishes, probe: Probe, how: str, noises: list[Advice], sites: SitesAdvice, warnings: list[str]
) -> dict[str, Any]:
    """All that was found, for --json. Losses are means over the examples; `base` is what `rise` is a share of."""
    return {
        "model": {"name": wishes.model, "described": probe.model.described, "weights": how},
        "data": wishes.source.data,
        "examples": len(probe.y),
        "rise": wishes.rise,
        "loss": {"clean": probe.clean, "chance": probe.chance, "base": probe.base},
        "sites": [asdict(one) for one in sites.sites],
        "noises": [asdict(one) for one in noises],
        "warnings": warnings,
    }
