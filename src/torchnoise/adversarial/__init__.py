"""Adversarial noise: a source that needs a gradient instead of random numbers."""

from .fgsm import FGSM as FGSM
