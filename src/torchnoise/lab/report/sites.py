"""Where noise entered, and how strong it was there."""

from __future__ import annotations

from ..results import Noise, Results, Site
from . import words
from .html import Cell, Column, details, note, table


def sites(results: Results) -> str:
    """A table for each noise, the winner's open."""
    shown = sorted((n for n in results.noises if n.sites), key=lambda n: n.name != results.winner)
    if not shown:
        return ""
    text = (
        "Measured at the first step that noise entered, at the chosen strength. SNR is the signal-to-noise ratio: at "
        "20 dB the noise is a tenth of the signal, at 0 dB it is as strong as the signal."
    )
    return note(text) + "\n".join(details(_summary(n), _table(n), shown=number == 0) for number, n in enumerate(shown))


def _summary(noise: Noise) -> str:
    ratios = [s.snr_db for s in noise.sites if s.snr_db is not None]
    reach = f"{words.counted(len(noise.sites), 'place')}"
    if not ratios:
        return f"{noise.name}, {words.at_strength(noise)}: {reach}"
    low, high = f"{min(ratios):.1f}", f"{max(ratios):.1f}"
    told = f"{low} dB" if low == high else f"{low} to {high} dB"
    return f"{noise.name}, {words.at_strength(noise)}: {reach}, {told}"


def _table(noise: Noise) -> str:
    columns = [
        Column("place", False),
        Column("shape", False),
        Column("unit", False),
        Column("rms of noise"),
        Column("SNR"),
        Column("noise / signal"),
    ]
    return table(f"Places of {noise.name}", columns, [_row(s) for s in noise.sites])


def _row(site: Site) -> list[str | Cell]:
    rms = "" if site.rms is None else words.plain(site.rms)
    if site.snr_db is None:
        return [site.site, site.shape, site.unit, rms, "not measured", ""]
    share = 10 ** (-site.snr_db / 20) if abs(site.snr_db) < 600 else float("inf")
    return [site.site, site.shape, site.unit, rms, f"{site.snr_db:.1f} dB", f"{100 * share:.3g} %"]
