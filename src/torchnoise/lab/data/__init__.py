"""Data: examples to train and choose on, and a sealed test part that is opened once. `load` gives both."""

from .load import load
from .parts import IMAGE, TABLE, TEXT, Data, Encoder, Part, SealedTest
from .words import TfidfEncoder, WordEncoder

__all__ = ["IMAGE", "TABLE", "TEXT", "Data", "Encoder", "Part", "SealedTest", "TfidfEncoder", "WordEncoder", "load"]
