"""The two forms of every random noise, called side by side, and processes that have drawn nothing yet."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

import torch
from hypothesis import strategies as st
from torch import Tensor

import torchnoise as tn
from torchnoise import oracle
from torchnoise.noise import RandomNoise
from torchnoise.oracle import Static
from torchnoise.perturb import perturb
from torchnoise.streams import Address

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
BITS = {8: torch.int64, 4: torch.int32, 2: torch.int16}


class Call(NamedTuple):
    """The arguments of `perturb` and of the oracle."""

    x: Tensor
    static: Static
    strength: Tensor
    address: Address
    scale: Tensor | None = None
    keep: Tensor | None = None

    def __repr__(self) -> str:
        """Short enough to be read where a test fails."""
        static, (key, step, examples) = self.static, self.address
        return (
            f"{static.combine} {static.noise} at {float(self.strength)}, batch axis {static.batch_axis}, "
            f"first {static.first}, x {_form(self.x)}, scale {_form(self.scale)}, keep {_form(self.keep)}, "
            f"key {key.tolist()}, step {step.tolist()}, examples {examples[:3].tolist()} of {len(examples)}"
        )


def _form(t: Tensor | None) -> str:
    return "None" if t is None else f"{t.dtype} {tuple(t.shape)} strides {t.stride()}"


def at(examples: int | Tensor = 1, key: tuple[int, int] = (5, 6), step: int = 0) -> Address:
    """An address, with examples numbered from 0 unless their numbers are given."""
    numbers = torch.arange(examples) if isinstance(examples, int) else examples
    return Address(torch.tensor(key), torch.tensor(step), numbers)


def call(
    x: Tensor,
    noise: RandomNoise,
    address: Address | None = None,
    *,
    combine: str | None = None,
    batch_axis: int | None = 0,
    first: int = 0,
    scale: Tensor | None = None,
    keep: Tensor | None = None,
) -> Call:
    """One call at the noise's own strength; without an address, each entry of the batch axis is an example."""
    if address is None:
        address = at(1 if batch_axis is None else x.shape[batch_axis])
    static = Static(noise, combine or noise.combine, batch_axis, first)
    return Call(x, static, torch.tensor(float(noise.strength)), address, scale, keep)


def slow(one: Call) -> Tensor:
    """The oracle's answer."""
    return oracle.perturb(*one)


@contextmanager
def kernels_only() -> Iterator[None]:
    """The slow form raises in here, so that it cannot stand in for a kernel that did not run."""
    with patch.object(oracle, "perturb", side_effect=AssertionError("the slow form ran where a kernel should")):
        yield


def fast(one: Call, out: Tensor | None = None) -> Tensor:
    """The kernel's answer, and an error where no kernel ran."""
    with kernels_only():
        return perturb(*one, out=out)


def bits(t: Tensor) -> Tensor:
    """A tensor's bits as integers."""
    return t.detach().contiguous().view(BITS[t.itemsize])


def same_numbers(a: Tensor, b: Tensor) -> bool:
    """Bit-equal, except that all values that are not a number are one: their bits differ between processors."""
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    return bool(((bits(a) == bits(b)) | (a.isnan() & b.isnan())).all())


def random_bits(shape: tuple[int, ...], dtype: torch.dtype, seed: int = 0) -> Tensor:
    """Any bits at all: subnormal numbers, infinities, values that are not a number."""
    kind = BITS[dtype.itemsize]
    info, generator = torch.iinfo(kind), torch.Generator().manual_seed(seed)
    return torch.randint(info.min, info.max, shape, generator=generator, dtype=kind).view(dtype)


# -- how tensors may lie ----------------------------------------------------------------------------------------------

LAYOUTS = ("contiguous", "transposed", "sliced", "offset", "reversed axes")


def divisors(n: int) -> list[int]:
    return [d for d in range(1, n + 1) if n % d == 0]


def laid_out(x: Tensor, how: str) -> Tensor:
    """The same elements, lying otherwise, inside a larger block of memory where that is possible."""
    if how == "transposed" and x.dim() >= 2:
        return x.transpose(-1, -2).contiguous().transpose(-1, -2)
    if how == "reversed axes":
        axes = tuple(reversed(range(x.dim())))
        return x.permute(axes).contiguous().permute(axes)
    if how == "sliced" and x.dim():
        room = torch.full((*[s + 1 for s in x.shape[:-1]], 3 * x.shape[-1] + 2), 7.0, dtype=x.dtype)
        place = room[tuple(slice(1, None) for _ in x.shape[:-1])][..., 1::3][..., : x.shape[-1]]
        return place.copy_(x)
    if how == "offset":
        return torch.full((x.numel() + 5,), 7.0, dtype=x.dtype)[3 : 3 + x.numel()].view(x.shape).copy_(x)
    return x.contiguous()


def broadcast(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape that expands to this one: some axes of size 1, some of the first left out."""
    small = tuple(draw(st.sampled_from([s, 1])) if s != 1 else 1 for s in shape)
    return small[draw(st.integers(0, len(small))) :]


# -- fresh processes ---------------------------------------------------------------------------------------------------


def _with_environment(environment: dict[str, str], function: Callable, arguments: tuple) -> Any:
    os.environ.update(environment)
    sys.dont_write_bytecode = True
    torch.set_num_threads(1)
    return function(*arguments)


def fresh_processes(count: int = 1) -> ProcessPoolExecutor:
    """Processes that have imported torchnoise, drawn nothing, and compiled or loaded nothing."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "torchnoise"])
    return ProcessPoolExecutor(count, mp_context=context)


def in_fresh_process(function: Callable, *arguments: Any, **environment: str) -> Any:
    """What the function returns in a process of its own."""
    with fresh_processes() as pool:
        return pool.submit(_with_environment, environment, function, arguments).result(timeout=120)


def in_fresh_processes(function: Callable, each: list[tuple], **environment: str) -> list[Any]:
    """The same for several processes at once, one for each tuple of arguments."""
    with fresh_processes(len(each)) as pool:
        waiting = [pool.submit(_with_environment, environment, function, arguments) for arguments in each]
        return [w.result(timeout=120) for w in waiting]


# one row for each shipped source under each combine of its own
SHIPPED: dict[str, RandomNoise] = {
    "gaussian add": tn.Gaussian(0.3),
    "gaussian multiply": tn.Gaussian(0.3, combine="multiply"),
    "gaussian replace": tn.Gaussian(0.3, combine="replace"),
    "uniform add": tn.Uniform(0.3),
    "uniform multiply": tn.Uniform(0.3, combine="multiply"),
    "uniform replace": tn.Uniform(0.3, combine="replace"),
    "laplace add": tn.Laplace(0.3),
    "laplace multiply": tn.Laplace(0.3, combine="multiply"),
    "laplace replace": tn.Laplace(0.3, combine="replace"),
    "student-t add": tn.StudentT(0.3, df=4),
    "student-t multiply": tn.StudentT(0.3, df=1, combine="multiply"),
    "student-t replace": tn.StudentT(0.3, df=1000.5, combine="replace"),
    "rademacher add": tn.Rademacher(0.3),
    "rademacher multiply": tn.Rademacher(0.3, combine="multiply"),
    "rademacher replace": tn.Rademacher(0.3, combine="replace"),
    "log-normal multiply": tn.LogNormal(0.3),
    "log-normal multiply median": tn.LogNormal(0.3, keep="median"),
    "gaussian dropout multiply": tn.GaussianDropout(0.3),
    "gaussian dropout add": tn.GaussianDropout(0.3, combine="add"),
    "salt-and-pepper replace": tn.SaltAndPepper(0.3, low=-0.7, high=1.9),
    "poisson count": tn.Poisson(0.3),
    "bernoulli add": tn.Bernoulli(0.3, combine="add", value=0.5),
    "bernoulli multiply": tn.Bernoulli(0.3),
    "bernoulli multiply 2": tn.Bernoulli(0.3, value=2.0),
    "bernoulli replace": tn.Bernoulli(0.3, combine="replace", value=0.5),
}
