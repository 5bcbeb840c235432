"""`torch.ops.torchnoise.inject`: the same operation, registered with torch for what traces or wraps tensors.

A graph holds constants and tensors, so a noise goes through it as its token, a text that names its class and settings.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .gradients import grad_of_scale, grad_of_x, kept_x
from .oracle import Static
from .perturb import perturb
from .streams.address import Address

if TYPE_CHECKING:
    from .noise import RandomNoise

_known: dict[str, RandomNoise] = {}
_NOT_IN_TOKENS = ("strength", "relative_to")  # they reach the operation as tensors


def token_of(noise: RandomNoise) -> str:
    """The text by which graphs name a noise."""
    kind = type(noise)
    settings = {f.name: getattr(noise, f.name) for f in fields(noise) if f.name not in _NOT_IN_TOKENS}
    token = json.dumps([kind.__module__, kind.__qualname__, settings], default=repr)
    if kind.__module__ == "__main__" or getattr(sys.modules.get(kind.__module__), kind.__qualname__, None) is not kind:
        token += f"#{id(kind)}"  # another class may have this name tomorrow, and no other process can find it
    if token in _known and type(_known[token]) is not kind:  # its module was loaded again
        token += f"#{id(kind)}"
    _known.setdefault(token, noise)
    return token


def noise_of(token: str) -> RandomNoise:
    """The noise that a token names; a graph compiled by an earlier process may name one that this has not made yet."""
    if token not in _known:
        module, name, settings = json.loads(token)
        _known[token] = getattr(importlib.import_module(module), name)(0.0, **settings)
    return _known[token]


@torch.library.custom_op("torchnoise::inject", mutates_args=())
def _inject(
    x: Tensor,
    scale: Tensor | None,
    strength: Tensor,
    keep: Tensor | None,
    key: Tensor,
    step: Tensor,
    examples: Tensor,
    noise: str,
    combine: str,
    batch_axis: int | None,
    first: int,
) -> Tensor:
    static = Static(noise_of(noise), combine, batch_axis, first)
    return perturb(x, static, strength, Address(key, step, examples), scale, keep)


@_inject.register_fake
def _(x: Tensor, *rest: Any) -> Tensor:
    return torch.empty_like(x)


def _setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
    x, scale, strength, keep, key, step, examples, *static = inputs
    ctx.static = static
    ctx.save_for_backward(kept_x(x, scale, static[1]), scale, strength, keep, key, step, examples)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    x, scale, *moving = ctx.saved_tensors
    noise, combine, *place = ctx.static

    def again(t: Tensor, combine: str, scale: Tensor | None) -> Tensor:
        return _inject(t, scale, *moving, noise, combine, *place)

    wants_x, wants_scale = ctx.needs_input_grad[:2]
    grad_x = grad_of_x(grad, scale, combine, again) if wants_x else None
    grad_scale = grad_of_scale(grad, x, scale, again) if wants_scale else None
    return grad_x, grad_scale, *[None] * 9


_inject.register_autograd(_backward, setup_context=_setup_context)


def one_by_one(size: int, axes: tuple, inputs: tuple, function: Callable[..., Tensor]) -> Tensor:
    """function of each slice of the inputs along their mapped axes (None: not mapped), stacked."""

    if size == 0:
        x, axis = inputs[0], axes[0]
        return x.new_empty((0, *x.shape)) if axis is None else torch.empty_like(x.movedim(axis, 0))

    def slice_(value: Any, axis: int | None, i: int) -> Any:
        return value if axis is None else value.select(axis, i)

    return torch.stack([function(*(slice_(v, a, i) for v, a in zip(inputs, axes, strict=True))) for i in range(size)])


@_inject.register_vmap
def _(info: Any, axes: tuple, *inputs: Any) -> tuple[Tensor, int]:
    return one_by_one(info.batch_size, axes, inputs, _inject), 0


def inject(
    x: Tensor,
    static: Static,
    strength: Tensor,
    address: Address,
    scale: Tensor | None,
    keep: Tensor | None,
) -> Tensor:
    """inject.py's `inject`, as one node of a graph."""
    noise, combine, batch_axis, first, _ = static
    return _inject(x, scale, strength, keep, *address, noise.token, combine, batch_axis, first)
