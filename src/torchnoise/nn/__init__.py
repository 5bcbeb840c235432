"""Layers for people who build their models by hand. Standing alone they draw like torch's own layers: one key for each
forward, from torch's default generator, so that torch.manual_seed and activation checkpointing rule them."""

from .dropout import Dropout as Dropout
