"""WHAT is drawn: a source, a magnitude and a way to combine, as one value.

A Noise knows nothing of models. `RandomNoise.inject` is the one place where the three axes meet.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import KW_ONLY, dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from .combine import COMBINES, Draw
from .errors import check_number, nearest
from .inject import inject
from .kernels import Kernel, Together
from .magnitudes import MAGNITUDES
from .operation import token_of
from .oracle import Static, Stream, address_stream, compute_dtype
from .perturb import perturb_later
from .streams.address import Address

if TYPE_CHECKING:
    from .learned import Learned


@dataclass
class Call:
    """One tensor at one site in one forward: all that a noise may ask about where it enters.

    strength: float32 [];  keep: bool, broadcastable to the tensor, True where noise may enter, or None;
    batch_axis: None where the tensor has no examples (weights, gradients); first: the logical number of the tensor's
    first element, for shards; stream: where words come from, the address by default;
    number: which call in this forward; start: how many examples of the step came before;
    memory, scratch: what its noise keeps there for good, or for a step;
    scale: what the strength is relative to, where the site knows it and the noise does not;
    together: given where the tensor itself shall change, without gradients, as late as these jobs run.
    """

    address: Address
    strength: Tensor
    keep: Tensor | None = None
    batch_axis: int | None = 0
    site: str = ""
    first: int = 0
    stream: Stream = address_stream
    number: int = 0
    start: int = 0
    memory: dict[str, Any] = field(default_factory=dict)
    scratch: dict[str, Any] = field(default_factory=dict)
    scale: Tensor | None = None
    together: Together | None = None


@dataclass(frozen=True)
class Noise(ABC):
    """Anything that can be injected: it takes a tensor and a Call, and returns the tensor with noise."""

    strength: float
    _: KW_ONLY
    relative_to: str | Learned | None = None
    combine: str = "add"

    allowed: ClassVar[tuple[str, ...]] = ("add", "multiply", "replace")
    largest: ClassVar[float] = 3.4028234663852886e38  # of float32
    has_hits: ClassVar[bool] = False  # whether only some elements are touched
    unit_of_strength: ClassVar[str] = "sigma"

    def __post_init__(self) -> None:
        name = type(self).__name__
        check_number(f"{name}: strength", self.strength, 0.0, self.largest)
        if self.has_hits and self.combine == "multiply" and not isinstance(self.relative_to, str | None):
            raise ValueError(f"{name}: under 'multiply' its strength is a probability, which Learned cannot scale")
        if self.combine not in self.allowed:
            raise ValueError(f"{name}: combine is {self.combine!r}, allowed: {', '.join(map(repr, self.allowed))}")
        if isinstance(self.relative_to, str):
            if self.relative_to not in MAGNITUDES:
                raise ValueError(
                    f"{name}: relative_to is {self.relative_to!r}; {nearest(self.relative_to, MAGNITUDES)}"
                    " (None for absolute)"
                )
            if not COMBINES[self.combine].takes_scale:
                raise ValueError(f"{name}: combine={self.combine!r} is relative to x already; leave relative_to out")

    @property
    def unit(self) -> str:
        """The strength's unit in words, for tables: what sigma is relative to."""
        relative = {None: "absolute", "abs": "of |x|", "rms": "of rms(x)", "std": "of std(x)"}
        if self.combine == "multiply":
            return f"{self.unit_of_strength}, factor"
        where = self.relative_to if self.relative_to is None or isinstance(self.relative_to, str) else "learned"
        return f"{self.unit_of_strength}, {relative.get(where, 'learned')}"

    @abstractmethod
    def inject(self, x: Tensor, call: Call) -> Tensor:
        """x with this noise, for one call of one site."""

    def takes_integers(self) -> bool:
        """Whether this noise may enter a tensor of integers."""
        return False

    def check_floating(self, x: Tensor, call: Call) -> None:
        """Refuse a tensor of integers, unless this noise takes them."""
        if not x.is_floating_point() and not self.takes_integers():
            raise TypeError(
                f"{call.site}: {self} cannot enter a tensor of {str(x.dtype).removeprefix('torch.')}; "
                "it takes floating point. For token ids use a kind that replaces, or noise on the embedding"
            )

    def scale(self, x: Tensor, call: Call) -> Tensor | None:
        """m(x), what the strength is relative to; None where it is absolute."""
        if call.scale is not None:
            return call.scale
        if self.relative_to is None:
            return None
        if not isinstance(self.relative_to, str):
            return self.relative_to.scale_for(call, x)
        with torch.no_grad():
            wide = x.detach().to(compute_dtype(x.dtype))
            return MAGNITUDES[self.relative_to](wide, call.keep, call.batch_axis)

    def __str__(self) -> str:
        shown = [f"{self.strength:g}"]
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name != "strength" and value != each.default:
                shown.append(f"{each.name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"


@dataclass(frozen=True)
class RandomNoise(Noise):
    """Noise drawn from an address. A source is a subclass with `draw`, and `kernel` where it has a fast form."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "token", token_of(self))

    if TYPE_CHECKING:
        token: ClassVar[str]

    @abstractmethod
    def draw(self, words: Tensor, strength: Tensor) -> Draw:
        """From random words to a draw: int64 [..., 4] -> values (and hits) of the same shape.

        Additive kinds return exactly strength times their unit noise, in float32.
        """

    def kernel(self, combine: str) -> Kernel | None:
        """The same draw for compiled loops, to the last bit (kernels/scalar.py), under one of combine.py's names.

        None where there is only `draw`.
        """
        return None

    def inject(self, x: Tensor, call: Call) -> Tensor:
        self.check_floating(x, call)
        static = Static(self, self.combine, call.batch_axis, call.first, call.stream)
        if call.together is not None:
            call.together.settle(x.data_ptr())
            return perturb_later(x, static, call.strength, call.address, self.scale(x, call), call.keep, call.together)
        return inject(x, static, call.strength, call.address, self.scale(x, call), call.keep)
