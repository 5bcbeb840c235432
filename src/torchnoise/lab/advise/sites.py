"""How sensitive the loss is to noise at each site of a network, one at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from torch import nn

from ... import Activations, Embeddings, Gaussian, Injection, Inputs, Plan, Weights
from ...sites.site import Site
from ..noises import activation_types, install
from ..noises.fit import WRONG
from .noises import check
from .probe import Probe
from .rises import strength_for

MOST = 40  # sites, spread evenly over a network that has more
START, TOP = 0.1, 16.0  # of the signal's rms: where the search for a strength begins, and what it does not go beyond


class Place(NamedTuple):
    """kind: "input", "embedding", "activation" or "weight";  name: the module's or the parameter's."""

    kind: str
    name: str
    site: Site


@dataclass(frozen=True)
class SiteAdvice:
    """Gaussian noise at one site, its sigma relative to the signal's rms there (each example's own; a matrix's).

    rms: the signal's, over the batch;  sigma: at which the loss rises by the stated share, None where it does not;
    curvature: the loss' rise over sigma^2, there or at the strongest that was tried.
    """

    kind: str
    name: str
    rms: float | None
    curvature: float
    sigma: float | None


class SitesAdvice(NamedTuple):
    """sites: in the network's order;  left_out: how many sites were not looked at;  refused: lines for those that could
    not be."""

    sites: list[SiteAdvice]
    left_out: int
    refused: list[str]


def advise_sites(
    probe: Probe, *, rise: float = 0.1, most: int = MOST, progress: Callable[[int, int], None] | None = None
) -> SitesAdvice:
    """Advice for each site of the probe's network. progress: is told how many of how many are done.

    Raises:
        ValueError: a rise that is not above 0; a network whose loss is not finite.
    """
    check(probe, rise)
    places = list(places_of(probe.net))
    chosen = spread(places, most)
    found, refused = [], []
    for number, place in enumerate(chosen):
        try:
            found.append(_advice(place, probe, rise))
        except WRONG as error:
            refused.append(" ".join(str(error.args[0] if error.args else error).split()))
        if progress is not None:
            progress(number + 1, len(chosen))
    return SitesAdvice(found, len(places) - len(chosen), refused)


def spread(places: list[Place], most: int) -> list[Place]:
    """At most so many of them, evenly spaced, the first and the last among them.

    >>> spread(list(range(10)), 4)
    [0, 3, 6, 9]
    """
    if len(places) <= most:
        return places
    if most == 1:
        return places[:1]
    return [places[round(i * (len(places) - 1) / (most - 1))] for i in range(most)]


def places_of(net: nn.Module) -> Iterator[Place]:
    """The input or the embeddings, then for each module in the network's order its weights and what it gives on.

    Of activations those that say something of their own: outputs of modules with weights and of activation functions.
    A container's output is that of its last part.
    """
    embeddings = [Place("embedding", name, Embeddings(exactly(name))) for name in _names(net, Embeddings())]
    yield from embeddings or [Place("input", "", Inputs())]
    inside = {place.name for place in embeddings}
    functions = activation_types(net)
    weights = set(_names(net, Weights()))
    for path, module in net.named_modules():
        for name, _ in module.named_parameters(recurse=False):
            full = f"{path}.{name}".lstrip(".")
            if full in weights:
                yield Place("weight", full, Weights(exactly(full)))
        ends = next(module.children(), None) is None and type(module).forward is not nn.Module.forward
        says = isinstance(module, functions) or next(module.parameters(), None) is not None
        if path and ends and says and path not in inside:
            yield Place("activation", path, Activations(exactly(path)))


def exactly(name: str) -> re.Pattern:
    """A selector of this name alone, whatever characters it has."""
    return re.compile(re.escape(name))


def _names(net: nn.Module, site: Site) -> list[str]:
    """The paths where a site finds something; none where it does not fit."""
    try:
        wiring = install(net, Plan(Injection(Gaussian(START), at=site)))
    except WRONG:
        return []
    return [point.path for point in wiring.points]


def _advice(place: Place, probe: Probe, rise: float) -> SiteAdvice:
    def plan_of(sigma: float) -> Plan:
        return Plan(Injection(Gaussian(sigma, relative_to="rms"), at=place.site))

    wanted = rise * probe.base
    sigma, rises = strength_for(probe, plan_of, wanted, START, TOP)
    strongest = max(rises.tried)
    curvature = rises.tried[strongest] / strongest**2 if sigma is None else wanted / sigma**2
    (met,) = probe.entered(plan_of(START))
    return SiteAdvice(place.kind, place.name, met.rms, curvature, sigma)
