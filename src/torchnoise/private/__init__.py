"""Private noise: gradients clipped example by example, and noise that nobody can draw again."""

from .per_example import PerExampleGradients as PerExampleGradients
