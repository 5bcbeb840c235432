"""How `torchnoise advise` shows what it found: two tables, and how to read them."""

from __future__ import annotations

from rich import box
from rich.table import Table

from ..lab.advise import Advice, Probe, SitesAdvice
from .console import console

SITES = """One site at a time: Gaussian noise of this sigma raises the loss by {percent}, to {target:.4g}. The smaller
sigma beside the signal's rms, the more sensitive the site. curvature: the loss' rise over (sigma / rms)^2.
"""
NOISES = """Each noise at all of its sites: at the advised strength the loss rises by {percent}. Begin there, and try
stronger and weaker, as torchnoise compare does: a network that trains with a noise gets used to it.
"""


def show(probe: Probe, how: str, rise: float, noises: list[Advice], sites: SitesAdvice) -> None:
    """Two tables, each with a line on how to read it."""
    percent = f"{100 * rise:g} %"
    target = probe.clean + rise * probe.base
    said = f"loss {probe.clean:.4g} on {len(probe.y)} validation examples (at chance {probe.chance:.4g})"
    print(f"{probe.model.described}, {how}: {said}")
    if probe.base > probe.clean:
        print(f"That is less than a tenth of chance's; the rise is {percent} of this tenth, {probe.base:.3g}.")
    print()
    console().print(sites_table(sites))
    print(SITES.format(percent=percent, target=target))
    console().print(noises_table(noises))
    for one in noises:
        if one.why:
            print(f"{one.name}: {one.why}")
    print(NOISES.format(percent=percent))


def _new_table(*columns: str, words: int) -> Table:
    """Columns of text first, `words` of them, then of numbers."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for i, name in enumerate(columns):
        table.add_column(name, justify="left" if i < words else "right", overflow="fold")
    return table


def sites_table(sites: SitesAdvice) -> Table:
    table = _new_table("site", "kind", "rms", "sigma, of rms", "sigma", "curvature", words=2)
    for one in sites.sites:
        absolute = None if one.sigma is None or one.rms is None else one.sigma * one.rms
        name = one.name or "(the model's input)"
        table.add_row(name, one.kind, *map(number, (one.rms, one.sigma, absolute, one.curvature)))
    return table


def noises_table(noises: list[Advice]) -> Table:
    table = _new_table("noise", "strength", "advised", "rule of thumb", "signal's rms", "noise's rms", words=2)
    for one in noises:
        table.add_row(one.name, one.unit, *map(number, (one.strength, one.rule, one.rms, one.noise)))
    return table


def number(value: float | None) -> str:
    """Two digits are what such a measurement is good for."""
    return "-" if value is None else f"{value:.2g}"
