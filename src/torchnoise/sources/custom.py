"""A user's own noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ..combine import COMBINES, Draw
from ..noise import Call, Noise
from ..oracle import compute_dtype
from ..streams.philox import MASK32, philox


@dataclass(frozen=True)
class Custom(Noise):
    """Noise that a function of yours draws: function(x, generator) -> unit noise of x's shape.

    Formula: add x + s m(x) f, multiply x (1 + s f), replace s m(x) f, with f = function(x, generator).

    The generator is seeded from the address: the same seed, site, step and first example give the same noise, so it
    resumes, and activation checkpointing repeats it. What it does not keep, because the function draws for a whole
    tensor at once: micro-batches, slices and shards draw other noise than the whole batch; another version of torch or
    another device may draw other numbers; torch.compile is refused. For all of that, write a source (CONTRIBUTING.md).

    Args:
        strength: s >= 0.
        function: takes x (without gradient) and a torch.Generator on x's device; must draw from nothing else.
        relative_to, combine: as for Gaussian.

    Raises:
        TypeError: no function, or one that returns something other than a tensor of x's shape.

    >>> import torch, torchnoise as tn
    >>> def triangular(x, generator):
    ...     return torch.rand(x.shape, generator=generator) - torch.rand(x.shape, generator=generator)
    >>> with tn.attach(torch.nn.Identity(), tn.Injection(Custom(0.1, triangular), at=tn.Inputs())) as noise:
    ...     out = noise.model(torch.zeros(2, 3))
    >>> bool((out.abs() < 0.1).all() and (out != 0).all())
    True
    """

    function: Callable[[Tensor, torch.Generator], Tensor]

    unit_of_strength: ClassVar[str] = "strength"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not callable(self.function):
            raise TypeError(f"Custom: function is {self.function!r}, allowed: a function of (x, generator)")

    @property
    def of_one_element(self) -> bool:
        return False

    def inject(self, x: Tensor, call: Call) -> Tensor:
        if torch.compiler.is_compiling():
            raise RuntimeError(f"{call.site}: {type(self).__name__} seeds a generator; run it without torch.compile")
        self.check_floating(x, call)
        key, step, examples = call.address
        first = examples[:1] if len(examples) else torch.zeros_like(step)[None]
        words = philox((step & MASK32, first[0] & MASK32, torch.zeros_like(step), torch.zeros_like(step)), key)
        generator = torch.Generator(device=x.device).manual_seed(int(words[0]) << 32 | int(words[1]))
        with torch.no_grad():
            drawn = self.function(x.detach(), generator)
        if not isinstance(drawn, Tensor) or drawn.shape != x.shape:
            shape = tuple(drawn.shape) if isinstance(drawn, Tensor) else type(drawn).__name__
            raise TypeError(f"{call.site}: {self} gave {shape}, allowed: a tensor of x's shape {tuple(x.shape)}")
        wide = compute_dtype(x.dtype)
        values = drawn.detach().to(wide) * call.strength
        out = COMBINES[self.combine].forward(x.to(wide), Draw(values), self.scale(x, call)).to(x.dtype)
        out = torch.where(call.strength != 0, out, x)
        return out if call.keep is None else torch.where(call.keep, out, x)

    def __str__(self) -> str:
        name = getattr(self.function, "__name__", "function")
        return super().__str__().replace(repr(self.function), name)
