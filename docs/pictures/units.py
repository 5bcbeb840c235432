"""Pictures of what a strength is relative to, and of how it follows the step."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure

import torchnoise as tn
from torchnoise.schedules import Schedule

from .data import noised
from .style import BLUE, GREEN, INK, LINE, ORANGE, RED, SMALL, axes, figure, label, legend


def magnitudes() -> Figure:
    on = figure(3.6)
    t = np.linspace(0, 1, 110)
    examples = torch.tensor(np.stack([0.8 * np.sin(4 * np.pi * t), 6 + 2 * np.sin(4 * np.pi * t)]), dtype=torch.float32)
    panels = [
        ("Gaussian(0.3)", tn.Gaussian(0.3)),
        ('0.2, relative_to="abs"', tn.Gaussian(0.2, relative_to="abs")),
        ('0.2, relative_to="rms"', tn.Gaussian(0.2, relative_to="rms")),
        ('0.2, relative_to="std"', tn.Gaussian(0.2, relative_to="std")),
        ('0.2, relative_to="max"', tn.Gaussian(0.2, relative_to="max")),
        ("1, relative_to=SNR(20)", tn.Gaussian(1.0, relative_to=tn.SNR(20))),
    ]
    for i, (name, noise) in enumerate(panels):
        panel = axes(on, 0.5 + 2.54 * (i % 3), 2.02 - 1.8 * (i // 3), 2.22, 1.25, name)
        drawn = noised(examples, noise, 2)
        for k, colour in enumerate((BLUE, RED)):
            panel.plot(t, drawn[k], color=colour, linewidth=0.9)
            panel.plot(t, examples[k], color=INK, linewidth=1.0, linestyle=(0, (4, 2)))
        panel.set_xlim(0, 1)
        panel.set_ylim(-4, 13)
        panel.set_yticks([0, 5, 10])
        panel.set_xticks([])
        panel.grid(color=LINE, linewidth=0.7)
        if i == 0:
            panel.text(0.02, 10.5, "one example", color=RED, fontsize=SMALL)
            panel.text(0.02, -3.3, "another; dashed: clean", color=BLUE, fontsize=SMALL)
    return on


def schedules() -> Figure:
    on = figure(3.45)
    shown: list[tuple[str, Schedule]] = [
        ("constant(0.5)", tn.constant(0.5)),
        ("linear(1, 0, 800)", tn.linear(1, 0, 800)),
        ("cosine(1, 0, 800)", tn.cosine(1, 0, 800)),
        ("exponential(1, 0.5, 200)", tn.exponential(1, 0.5, 200)),
        ("power_decay(eta=1)", tn.power_decay(eta=1)),
        ("warm_up(300)", tn.warm_up(300)),
        ("window(200, 600)", tn.window(200, 600)),
        ("join: up, later down", tn.join((tn.warm_up(300), tn.cosine(1, 0, 500)), (400,))),
    ]
    steps = np.arange(1001)
    for i, (name, schedule) in enumerate(shown):
        panel = axes(on, 0.5 + 1.92 * (i % 4), 2.09 - 1.55 * (i // 4), 1.62, 1.05, name)
        panel.set_title(name, fontsize=9.5 if len(name) > 20 else 10, color=INK, loc="left", pad=6)
        panel.plot(steps, [schedule(int(s)) for s in steps], color=BLUE, linewidth=2.2)
        panel.set_xlim(0, 1000)
        panel.set_ylim(0, 1.08)
        panel.set_xticks([0, 400, 800])
        panel.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
        panel.grid(color=LINE, linewidth=0.7)
        if i < 4:
            panel.set_xticklabels([])
        if i % 4:
            panel.set_yticklabels([])
        label(panel, "step" if i >= 4 else "", "")
    return on


def gradients() -> Figure:
    on = figure(3.0)
    steps = np.arange(0, 10_001)
    panel = axes(on, 0.72, 0.58, 3.05, 2.05, "The noise fades with the steps")
    for eta, colour, dashes in ((1.0, GREEN, (0, (5, 1.5, 1, 1.5))), (0.3, ORANGE, (0, (4, 2))), (0.01, BLUE, "-")):
        fade = tn.power_decay(eta=eta)
        panel.plot(
            steps + 1,
            [fade(int(t)) for t in steps],
            color=colour,
            linewidth=2,
            linestyle=dashes,
            label=f"eta = {eta:g}",
        )
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_ylim(4e-3, 2)
    panel.set_xticks([1, 10, 100, 1000, 10_000], ["1", "10", "100", "1000", "10 000"])
    panel.set_yticks([0.01, 0.1, 1], ["0.01", "0.1", "1"])
    panel.minorticks_off()
    panel.grid(color=LINE, linewidth=0.7)
    label(panel, "step", "deviation of the noise")
    legend(panel, "lower left")

    panel = axes(on, 4.75, 0.58, 3.05, 2.05, "Weights that begin at 0")
    u, v = np.meshgrid(np.linspace(-0.4, 1.7, 85), np.linspace(-0.4, 1.5, 77))
    panel.contour(u, v, (1 - u * v) ** 2, levels=[0.03, 0.2, 0.5, 0.9, 1.2, 1.6], colors=[LINE], linewidths=1)
    path = descend()
    panel.plot(path[:, 0], path[:, 1], color=BLUE, linewidth=1.3, label="with noise, eta = 0.3")
    panel.plot(*path[-1], "o", color=BLUE, markersize=6)
    panel.plot(0, 0, "X", color=RED, markersize=9, linestyle="none", label="without: stays here")
    panel.set_xlim(-0.4, 1.7)
    panel.set_ylim(-0.4, 1.5)
    label(panel, "weight of layer 1 (lines: equal loss)", "weight of layer 2")
    legend(panel, "upper left")
    return on


def descend(steps: int = 300, rate: float = 0.05) -> np.ndarray:
    """Gradient descent on (1 - u v)^2 from 0, where the gradient is 0, with annealed noise: float64 [steps + 1, 2]."""
    fade = tn.power_decay(eta=0.3)
    place = np.zeros(2)
    path = [place]
    for step in range(steps):
        u, v = place
        gradient = torch.tensor([[-2 * (1 - u * v) * v, -2 * (1 - u * v) * u]], dtype=torch.float64)
        noise = tn.Gaussian(fade(step))
        place = place - rate * tn.noisy(gradient, noise, tn.address(seed=0, step=step))[0].numpy()
        path.append(place)
    return np.array(path)
