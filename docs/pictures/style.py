"""One look for all pictures: sizes, colours, and PNG files that are the same bytes each time."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

# Okabe and Ito's colours, which colour-blind people tell apart; line styles and words say the same once more.
BLUE, RED, GREEN, ORANGE = "#0072b2", "#d55e00", "#009e73", "#e69f00"
INK, MUTED, LINE = "#1e1e1e", "#5b5b5b", "#d8d8d8"

DPI = 200
WIDTH = 8.0  # inches: pages show 8 inches as some 800 pixels, so that 10.5 points are 14 pixels there
TEXT, SMALL = 10.5, 9.5
GREYS = 33  # the palette: greys, for photographs too, and each colour in steps to white, for smooth edges
STEPS = {BLUE: 18, RED: 18, GREEN: 10, ORANGE: 10}


def figure(height: float) -> Figure:
    """A white figure as wide as a page, with a canvas of its own: no window system, no state left behind."""
    made = Figure(figsize=(WIDTH, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(made)
    return made


def axes(on: Figure, left: float, bottom: float, width: float, height: float, title: str = "") -> Axes:
    """Axes at a place given in inches from the figure's lower left corner, with a plain title above."""
    high = on.get_figheight()
    made = on.add_axes((left / WIDTH, bottom / high, width / WIDTH, height / high))
    for side in ("top", "right"):
        made.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        made.spines[side].set_color(MUTED)
    made.tick_params(colors=MUTED, labelsize=SMALL, length=3)
    made.set_axisbelow(True)
    made.set_title(title, fontsize=TEXT, color=INK, loc="left", pad=7)
    return made


def label(on: Axes, x: str = "", y: str = "") -> None:
    """Axis labels, with units."""
    on.set_xlabel(x, fontsize=SMALL, color=MUTED, labelpad=3)
    on.set_ylabel(y, fontsize=SMALL, color=MUTED, labelpad=4)


def legend(on: Axes, where: Any = "best", columns: int = 1) -> None:
    """A legend without a frame, over a white ground that hides the grid."""
    made = on.legend(loc=where, fontsize=SMALL, labelcolor=INK, handlelength=1.7, borderaxespad=0.15, ncols=columns)
    made.get_frame().set(facecolor="white", edgecolor="none", alpha=0.9)


def write(
    on: Figure, left: float, bottom: float, text: str, size: float = TEXT, colour: str = INK, **more: Any
) -> None:
    """Words at a place given in inches."""
    on.text(left / WIDTH, bottom / on.get_figheight(), text, fontsize=size, color=colour, **more)


def photo(
    on: Figure, left: float, bottom: float, values: np.ndarray, zoom: int, low: float = 0.0, high: float = 1.0
) -> None:
    """A grey picture, black at low and white at high, each element `zoom` pixels wide: no resampling."""
    grey = np.clip((values - low) / (high - low), 0.0, 1.0)
    _blocks(on, left, bottom, np.stack([grey] * 3, -1), zoom)


def signed(on: Figure, left: float, bottom: float, values: np.ndarray, zoom: int, most: float) -> None:
    """Numbers as colours: blue below 0, white at 0, red above; not-a-number is grey."""
    share = np.nan_to_num(np.clip(np.abs(values) / most, 0.0, 1.0))[..., None]
    full = np.where((values > 0)[..., None], _parts(RED), _parts(BLUE))
    colours = 1.0 - share * (1.0 - full)
    _blocks(on, left, bottom, np.where(np.isnan(values)[..., None], _parts(LINE), colours), zoom)


def frame(on: Figure, left: float, bottom: float, wide: float, high: float) -> None:
    """A thin line around a place given in inches."""
    place = (left / WIDTH, bottom / on.get_figheight()), wide / WIDTH, high / on.get_figheight()
    on.add_artist(Rectangle(*place, fill=False, edgecolor=LINE, linewidth=1))


def _parts(colour: str) -> np.ndarray:
    return np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])


def _blocks(on: Figure, left: float, bottom: float, colours: np.ndarray, zoom: int) -> None:
    big = np.repeat(np.repeat(colours, zoom, 0), zoom, 1)
    on.figimage(big, round(left * DPI), round(bottom * DPI), origin="upper")


def palette() -> Image.Image:
    """The colours that files may use: few, so that files are small."""
    entries = [[round(255 * i / (GREYS - 1))] * 3 for i in range(GREYS)]
    for colour, steps in STEPS.items():
        parts = 255 * _parts(colour)
        entries += [[round(p + (255 - p) * i / steps) for p in parts] for i in range(steps)]
    made = Image.new("P", (1, 1))
    made.putpalette([part for entry in entries for part in entry])
    return made


def png(drawn: Figure) -> bytes:
    """The figure as a small PNG file, without a date or a version in it."""
    drawn.canvas.draw()
    pixels = np.ascontiguousarray(np.asarray(drawn.canvas.buffer_rgba())[..., :3])  # type: ignore[attr-defined]
    few = Image.fromarray(pixels).quantize(palette=palette(), dither=Image.Dither.NONE)
    file = io.BytesIO()
    few.save(file, "PNG", optimize=True)
    return file.getvalue()
