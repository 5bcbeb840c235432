"""Who takes part: the noises and their partners, fitted to the data and the model at hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

from torch import nn

from .data import Data
from .models import Model
from .noises import Candidate, default_names, find, partners, resolve, suits
from .settings import Parts
from .treatments import Treatment


@dataclass(frozen=True)
class Entrants:
    """noises: the candidates by name;  partners: what the winner is tried beside, by name."""

    noises: Mapping[str, Candidate]
    partners: Mapping[str, Candidate]

    def __getitem__(self, name: str) -> Candidate:
        return self.noises[name] if name in self.noises else self.partners[name]

    def without_partners(self) -> Entrants:
        """The noises alone."""
        return Entrants(self.noises, {})

    def treatment(self, parts: Parts) -> Treatment:
        """All of the parts at once."""
        return reduce(Treatment.beside, (self[name].treat(strength) for name, strength in parts), Treatment())


def find_entrants(asked: tuple[str, ...] | None, data: Data, net: nn.Module, model: Model) -> Entrants:
    """The noises that were asked for, or those that suit the data and the model.

    Raises:
        ValueError: a name that no noise has, with the nearest ones; a noise that does not suit, with the reason.
    """
    noises: dict[str, Candidate] = {}
    for text in asked or default_names(data, net):
        candidate = find(text)
        if reason := suits(candidate, data, net, model):
            raise ValueError(f"--noises {reason}")
        if candidate.name in noises:
            raise ValueError(f"--noises names {candidate.name} twice, allowed: each at most once")
        noises[candidate.name] = resolve(candidate, data, net)
    return Entrants(noises, {one.name: one for one in partners(data, net)})
