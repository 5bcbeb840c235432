"""What the noises on token ids share: they replace whole numbers, and take no others."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from ...noise import Call, RandomNoise


def hits(words: Tensor, probability: Tensor) -> Tensor:
    """One bool for each word, True with this probability. What is hit at p is hit at any larger p."""
    return words < (probability.to(torch.float64) * 2.0**32).to(torch.int64)


@dataclass(frozen=True)
class TokenNoise(RandomNoise):
    """A noise that gives token ids. `strength` is a probability, unless a subclass says otherwise."""

    _: KW_ONLY
    combine: str = "replace"

    allowed: ClassVar[tuple[str, ...]] = ("replace",)
    largest: ClassVar[float] = 1.0
    has_hits: ClassVar[bool] = True
    scales_linearly: ClassVar[bool] = False
    unit_of_strength: ClassVar[str] = "probability"

    def __post_init__(self) -> None:
        if self.relative_to is not None:
            raise ValueError(
                f"{type(self).__name__}: relative_to is {self.relative_to!r}, allowed: None, ids have no size"
            )
        super().__post_init__()

    @property
    def hides(self) -> int | None:
        """The id that stands for a token which leaves the attention mask, too; None where none does."""
        return None

    def takes_integers(self) -> bool:
        return True

    def check_floating(self, x: Tensor, call: Call) -> None:
        if x.is_floating_point() or x.is_complex() or x.dtype == torch.bool:
            raise TypeError(
                f"{call.site}: {self} cannot enter a tensor of {str(x.dtype).removeprefix('torch.')}; "
                "it takes token ids, which are whole numbers"
            )

    def _set(self, name: str, value: Any) -> None:
        """A field in its one form, or what is worked out from the fields: before the noise is handed out."""
        object.__setattr__(self, name, value)
