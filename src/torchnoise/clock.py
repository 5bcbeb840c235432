"""What moves between forwards: the step, the strengths, the keys of a pass, the numbers of examples.

All of it is carried in tensors that are replaced and never written to: a graph that saved one of them for its backward
keeps its value, also where torch.compile computes from the saved tensor again. (Written in place, the backward of a
compiled multiplicative noise silently drew the next forward's noise.)
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from .errors import check_number
from .streams.address import key_words, subkey

if TYPE_CHECKING:
    from .plan import Plan

EXAMPLES_PER_RANK = 1 << 20  # without ids, rank r numbers its examples from r * 2^20 on, so ranks draw independently


class Clock(NamedTuple):
    """keys: int64 [points, 2];  step: int64 [];  strengths: float32 [injections];  running: int64 [], the number of the
    rank's next example, from 0;  none: int64 [1], the example number of tensors without examples.
    """

    keys: Tensor
    step: Tensor
    strengths: Tensor
    running: Tensor
    none: Tensor

    def to(self, device: torch.device) -> Clock:
        return Clock(*(t.to(device) for t in self))


def rank() -> int | None:
    """This process's rank among several, None where it is alone."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank()
    return None


def new_clock(step: int, keys: list[tuple[int, int]], strengths: tuple[float, ...], device: torch.device) -> Clock:
    """The clock at the beginning of a step, before its first example."""
    return Clock(
        torch.tensor(keys, dtype=torch.int64, device=device).reshape(-1, 2),
        torch.tensor(step, dtype=torch.int64, device=device),
        torch.tensor(strengths, dtype=torch.float32, device=device),
        torch.zeros((), dtype=torch.int64, device=device),
        torch.zeros(1, dtype=torch.int64, device=device),
    )


def strengths_at(plan: Plan, step: int) -> tuple[float, ...]:
    """Every injection's strength at a step, checked by its noise's own rules.

    Raises:
        ValueError: a schedule that gives a negative number, NaN, or more than the noise allows; names the step.
    """
    values = []
    for injection in plan:
        noise = injection.noise
        if injection.when is not None:
            factor = injection.when(step)
            try:
                noise = dataclasses.replace(noise, strength=noise.strength * check_number("factor", factor))
            except (TypeError, ValueError) as problem:
                raise ValueError(f"step {step}: the schedule of {injection} gave {factor!r}: {problem}") from problem
        values.append(noise.strength)
    return tuple(values)


class Keys:
    """The keys of all points, by pass; made once for each pass."""

    def __init__(self, seed: int, places: list[tuple[str, str]]) -> None:
        self.seed = seed
        self.places = places
        self._passes: dict[str, list[int]] = {}
        if len(set(self.of("0"))) < len(places):  # one chance in 2^64 / points^2
            raise RuntimeError(f"attach: with seed {seed} two sites have the same key; take another seed")

    def of(self, pass_: str) -> list[int]:
        """The 64-bit keys of a pass, one for each point."""
        if pass_ not in self._passes:
            self._passes[pass_] = [subkey(self.seed, path, role, pass_) for path, role in self.places]
        return self._passes[pass_]

    def words(self, pass_: str) -> list[tuple[int, int]]:
        """The same as pairs of 32-bit words."""
        return [key_words(k) for k in self.of(pass_)]

    def by_place(self) -> dict[str, int]:
        """The keys of the ordinary pass by "path|role", as a run stores them."""
        return {f"{path}|{role}": key for (path, role), key in zip(self.places, self.of("0"), strict=True)}
