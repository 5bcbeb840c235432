"""Noise as a function of a tensor and an address, for loops that attach nothing: `noisy` and `address`."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from .errors import check_number
from .noise import Call, Noise, RandomNoise
from .oracle import Static
from .perturb import perturb
from .streams.address import Address, key_words, subkey


def number(value: float, device: torch.device) -> Tensor:
    """A number as the float32 tensor that noise takes for its strength."""
    if torch.compiler.is_compiling():
        return torch.full((), value, dtype=torch.float32, device=device)
    return _kept(value, device)


@lru_cache(maxsize=256)
def _kept(value: float, device: torch.device) -> Tensor:
    return torch.tensor(value, dtype=torch.float32, device=device)


def address(
    seed: int = 0,
    step: int = 0,
    examples: int | Tensor = 1,
    *,
    path: str = "",
    pass_: str = "0",
    device: torch.device | str = "cpu",
) -> Address:
    """Where random numbers live: everything that a draw depends on.

    Args:
        seed, path, pass_: give the key, by a stable hash. Give each place in a model a path of its own.
        step: the optimizer's step, from 0 to 2^32 - 1.
        examples: how many examples a tensor has, numbered from 0, or their numbers (int64 [B]). 1: all is one example.

    Raises:
        ValueError: a step outside its range; a negative number of examples.

    >>> address(seed=3, step=7, examples=2).examples
    tensor([0, 1])
    """
    if not (isinstance(step, int) and 0 <= step < 2**32):
        raise ValueError(f"address: step is {step!r}, allowed: a whole number from 0 to 2^32 - 1")
    if isinstance(examples, int) and examples < 0:
        raise ValueError(f"address: examples is {examples}, allowed: a number from 0, or their numbers as a tensor")
    key = torch.tensor(key_words(subkey(seed, path, "", pass_)), dtype=torch.int64, device=device)
    numbers = torch.arange(examples, device=device) if isinstance(examples, int) else examples.to(device, torch.int64)
    return Address(key, torch.tensor(step, device=device), numbers)


def noisy(
    x: Tensor,
    noise: Noise,
    at: Address,
    *,
    strength: float | Tensor | None = None,
    keep: Tensor | None = None,
    batch_axis: int | None = 0,
    out: Tensor | None = None,
) -> Tensor:
    """x with the noise that lives at an address: the same address, the same bits.

    Args:
        x: any shape; float32, float64, float16 or bfloat16 (integers for kinds that take them).
        noise: what is drawn, such as tn.Gaussian(0.1).
        at: where its random numbers live; see `address`.
        strength: instead of the noise's own; a float32 tensor of no dimensions does not recompile a graph.
        keep: bool, expandable to x: True where noise may enter.
        batch_axis: where x has the address's examples; None where it has none, as a weight.
        out: where to write, instead of a fresh tensor: x itself, or a tensor of x's shape and dtype that shares no
            memory with it. No gradients flow then.

    Gradients flow to x, and noise is drawn again in backward instead of being stored.

    Raises:
        TypeError: what is no tensor, noise that is not drawn, no address, a mask that is not bool.
        ValueError: a strength outside its range; a batch axis that does not hold the examples; an `out` that does not
            fit, or gradients wanted with it.

    >>> import torchnoise as tn
    >>> x = torch.zeros(2, 3)
    >>> at = address(seed=0, step=5, examples=2)
    >>> both = noisy(x, tn.Gaussian(1.0), at)
    >>> second = noisy(x[1:], tn.Gaussian(1.0), at._replace(examples=torch.tensor([1])))
    >>> torch.equal(both[1:], second)
    True
    """
    _check(x, noise, at, keep)
    if x.dim() == 0:
        batch_axis = None
    if batch_axis is not None:
        if not -x.dim() <= batch_axis < x.dim():
            raise ValueError(f"noisy: batch_axis is {batch_axis}, allowed: an axis of shape {tuple(x.shape)}, or None")
        batch_axis %= x.dim()
        size, count = x.shape[batch_axis], at.examples.shape[0]
        if size and (count == 0 or size % count):
            raise ValueError(
                f"noisy: axis {batch_axis} of shape {tuple(x.shape)} does not hold the address's {count} examples, "
                "allowed: as many, or several successive entries for each"
            )
    value = noise.strength if strength is None else strength
    if not isinstance(value, Tensor):
        check_number("noisy: strength", value, 0.0, noise.largest)
        value = number(value, x.device)
    elif value.dim():
        raise ValueError(f"noisy: strength has shape {tuple(value.shape)}, allowed: a number, a tensor without axes")
    elif value.dtype is not torch.float32:
        value = value.to(torch.float32)
    call = Call(at, value, keep, batch_axis, "noisy")
    if out is None:
        return noise.inject(x, call)
    assert isinstance(noise, RandomNoise)
    if torch.is_grad_enabled() and (x.requires_grad or out.requires_grad):
        raise ValueError("noisy: no gradients flow into out, allowed: torch.no_grad() around it, or no out")
    if out.shape != x.shape or out.dtype != x.dtype or out.device != x.device:
        raise ValueError(
            f"noisy: out is {out.dtype} {tuple(out.shape)} on {out.device}, "
            f"allowed: as x, {x.dtype} {tuple(x.shape)} on {x.device}"
        )
    if _overlaps_itself(out):
        raise ValueError("noisy: several elements of out share one place in memory, allowed: room for each")
    noise.check_floating(x, call)
    with torch.no_grad():
        source = _apart(x, out)
        return perturb(source, Static(noise, noise.combine, batch_axis), value, at, noise.scale(x, call), keep, out)


def _check(x: Tensor, noise: Noise, at: Address, keep: Tensor | None) -> None:
    if not isinstance(x, Tensor):
        raise TypeError(f"noisy: x is {type(x).__name__}, allowed: a tensor")
    if not isinstance(noise, Noise) or not noise.can_draw_again:
        raise TypeError(
            f"noisy: noise is {noise}, allowed: a noise that is drawn, such as tn.Gaussian(0.1); for adversarial and "
            "learned noise, and for what remembers, use tn.attach"
        )
    if not isinstance(at, Address):
        raise TypeError(f"noisy: at is {type(at).__name__}, allowed: what tn.address() gives")
    if keep is not None and keep.dtype is not torch.bool:
        raise TypeError(f"noisy: keep is {keep.dtype}, allowed: torch.bool, True where noise may enter")


def _overlaps_itself(out: Tensor) -> bool:
    """Whether two elements may lie in one place."""
    if out.is_contiguous():
        return False
    room = 1
    for stride, size in sorted(zip(out.stride(), out.shape, strict=True)):
        if size > 1 and stride < room:
            return True
        room += (size - 1) * stride
    return False


def _apart(x: Tensor, out: Tensor) -> Tensor:
    """x, or a copy where it shares memory with `out` in another way than element for element."""
    if out.data_ptr() == x.data_ptr() and out.stride() == x.stride():
        return x
    return x.clone() if out.untyped_storage().data_ptr() == x.untyped_storage().data_ptr() else x
