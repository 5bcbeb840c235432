"""A small comparison that many tests look at."""

from types import MappingProxyType

from torchnoise.lab.settings import Settings

LADDERS = MappingProxyType({"gaussian_input": (0.1, 0.3), "dropout": (0.1, 0.3, 0.6)})
SMALL = Settings(
    noises=("gaussian_input", "dropout"), strengths=LADDERS, seeds=2, epochs=2, rounds=(1, 1), combine=True
)
FLAGS = ["--noises", "gaussian_input,dropout", "--seeds", "2", "--epochs", "2", "--by-rule", "--alone"]
