"""Pictures of the places where noise enters."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure

import torchnoise as tn
from torchnoise.noise import Noise

from .data import digits, noised, template_weights
from .style import (
    BLUE,
    DPI,
    INK,
    LINE,
    MUTED,
    RED,
    SMALL,
    axes,
    figure,
    frame,
    label,
    legend,
    photo,
    signed,
    write,
)


def inputs() -> Figure:
    on = figure(3.95)
    raw = digits()[0]
    units = [
        ("as loaded, 0 to 16", raw),
        ("scaled, 0 to 1", raw / 16.0),
        ("standardised", (raw - raw.mean()) / raw.std()),
    ]
    rows: list[tuple[str, Noise | None]] = [
        ("clean", None),
        ("Gaussian(0.3)", tn.Gaussian(0.3)),
        ('Gaussian(0.3,\nrelative_to="std")', tn.Gaussian(0.3, relative_to="std")),
    ]
    for i, (name, values) in enumerate(units):
        left = 1.72 + 2.11 * i
        write(on, left, 3.7, name)
        low, high = float(values.min()), float(values.max())
        margin = 0.25 * (high - low)
        for j, (_, noise) in enumerate(rows):
            shown = values[:2] if noise is None else torch.tensor(noised(values[:2], noise, 2))
            for k in range(2):
                place = (left + 0.98 * k, 2.65 - 1.21 * j)
                photo(on, *place, shown[k].view(8, 8).numpy(), 23, low - margin, high + margin)
    for j, (name, _) in enumerate(rows):
        write(on, 0.15, 3.11 - 1.21 * j, name, va="center", linespacing=1.4)
    return on


def embeddings() -> Figure:
    on = figure(2.75)
    lengths, longest, width, alpha = (3, 6, 12), 12, 10, 5.0
    keep = torch.arange(longest) < torch.tensor(lengths)[:, None]
    at = tn.address(seed=0, examples=3)
    with torch.no_grad():
        drawn = tn.noisy(
            torch.zeros(3, longest, width), tn.Uniform(alpha, relative_to="size"), at, keep=keep[..., None]
        )
    write(on, 0.18, 2.42, "The noise on three sentences")
    for i, length in enumerate(lengths):
        values = drawn[i].clone()
        values[length:] = float("nan")
        left = 0.18 + 1.3 * i
        signed(on, left, 1.05, values.numpy(), 20, 0.92)
        norm = float(drawn[i].norm())
        write(on, left, 0.8, f"{length} tokens", SMALL)
        write(on, left, 0.57, f"norm {norm:.2f}", SMALL, MUTED)
    write(on, 0.18, 0.22, "A row is a token, a column a feature; grey is padding.", SMALL, MUTED)
    panel = axes(on, 4.75, 0.58, 3.05, 1.75, "Largest noise on one feature, alpha = 5")
    tokens = np.arange(4, 129)
    panel.plot(tokens, alpha / np.sqrt(tokens * 384), color=BLUE, linewidth=2, label="true length, as here")
    padded = np.full(len(tokens), alpha / np.sqrt(128 * 384))
    panel.plot(tokens, padded, color=RED, linewidth=2, linestyle=(0, (4, 2)), label="padded length, 128")
    panel.set_xlim(0, 130)
    panel.set_ylim(0, 0.14)
    panel.grid(color=LINE, linewidth=0.7)
    label(panel, "tokens in the sentence (384 features)", "half width")
    legend(panel, "upper right")
    return on


def activations() -> Figure:
    on = figure(4.1)
    x = (digits()[0] - digits()[0].mean()) / digits()[0].std()
    layer = noised(torch.zeros(64, 64), tn.Gaussian(0.125), 64)
    units = torch.relu(x @ torch.tensor(layer))
    kinds: list[tuple[str, Noise | None]] = [
        ("clean, after a ReLU", None),
        ('Gaussian(0.3, relative_to="rms")', tn.Gaussian(0.3, relative_to="rms")),
        ('Gaussian(0.3, combine="multiply")', tn.Gaussian(0.3, combine="multiply")),
        ("Bernoulli(0.3), dropout", tn.Bernoulli(0.3)),
    ]
    for i, (name, noise) in enumerate(kinds):
        values = (units.numpy() if noise is None else noised(units, noise, len(units))).ravel()
        panel = axes(on, 0.72 + 4.03 * (i % 2), 2.5 - 1.98 * (i // 2), 3.05, 1.22, name)
        rest = values[values != 0]
        counts, edges = np.histogram(rest, bins=66, range=(-1.2, 3.2))
        panel.stairs(counts / len(values), edges, fill=True, color=BLUE, alpha=0.5, linewidth=0)
        zero, below = 100 * float((values == 0).mean()), 100 * float((values < 0).mean())
        panel.axvline(0, color=MUTED, linewidth=1, linestyle=(0, (4, 2)))
        panel.text(
            0.98,
            0.95,
            f"exactly 0: {zero:.0f} %\nbelow 0: {below:.0f} %",
            transform=panel.transAxes,
            ha="right",
            va="top",
            fontsize=SMALL,
            color=INK,
            linespacing=1.5,
        )
        panel.set_xlim(-1.2, 3.2)
        panel.set_ylim(0, 0.13)
        panel.set_yticks([0, 0.05, 0.1], ["0", "5 %", "10 %"])
        label(panel, "value of a unit" if i > 1 else "", "share of units" if i % 2 == 0 else "")
    return on


def weights() -> Figure:
    on = figure(3.45)
    clean = template_weights()
    most = float(clean.abs().max())
    kinds: list[tuple[str, Noise | None]] = [
        ("clean", None),
        ("0.3 of the rms", tn.Gaussian(0.3, relative_to="rms")),
        ("DropConnect, 0.5", tn.Bernoulli(0.5)),
        ("0.1 of the largest", tn.Gaussian(0.1, relative_to="max")),
    ]
    bins = np.linspace(-2.0 * most, 2.0 * most, 62)
    for i, (name, noise) in enumerate(kinds):
        values = clean.numpy() if noise is None else noised(clean, noise)
        left = 0.62 + 1.86 * i
        signed(on, left, 1.78, values[0].reshape(8, 8), 32, most)
        frame(on, left, 1.78, 256 / DPI, 256 / DPI)
        write(on, left, 3.2, name)
        panel = axes(on, left, 0.58, 1.62, 0.98)
        counts, _ = np.histogram(values, bins)
        before, _ = np.histogram(clean.numpy(), bins)
        panel.stairs(counts / 6.4, bins, fill=True, color=BLUE, alpha=0.4, linewidth=0)
        panel.stairs(before / 6.4, bins, color=INK, linewidth=1.0)
        panel.set_ylim(0, 13)
        panel.set_xticks([-0.25, 0, 0.25], ["-0.25", "0", "0.25"])
        panel.set_xlim(-1.6 * most, 1.6 * most)
        if i == 2:
            panel.text(0.04, 12.0, f"{counts.max() / 6.4:.0f} %\nare 0", fontsize=SMALL, color=INK, va="top")
        label(panel, "weight", "% of weights" if i == 0 else "")
        if i:
            panel.set_yticklabels([])
    return on
