"""Noise on one tensor, beside torch's ways, JAX, NumPy and torch.compile."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from timing import Row, race
from torch import Tensor, nn

import torchnoise as tn

S = 0.1
M = 1 << 20


def tensor(count: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(count, generator=torch.Generator().manual_seed(0)).to(dtype)


def ns(seconds: float, count: int) -> str:
    return f"{seconds / count * 1e9:.2f} ns an element"


def large() -> Iterator[Row]:
    """16 M elements, where memory decides: into `out=`, and fresh; beside the others, and a copy."""
    count = 16 * M
    x, out, at = tensor(count), torch.empty(count), tn.address(seed=0)
    noise = tn.Gaussian(S)
    ours: Callable[[], object] = lambda: tn.noisy(x, noise, at, out=out)  # noqa: E731
    times = race(
        {
            "ours": ours,
            "fresh": lambda: tn.noisy(x, noise, at),
            "usual": lambda: x + torch.randn_like(x) * S,
            "copy": lambda: out.copy_(x),
        },
        least=0.05,
    )
    took = ns(times.median("ours"), count)
    what = "gaussian add f32, 16 M, out=, against x + randn_like(x) * s"
    yield Row(what, times.ratio("usual", "ours"), 10, 14, more=took)
    took = ns(times.median("fresh"), count)
    yield Row("the same, fresh output", times.ratio("usual", "fresh"), 4.5, 6, more=took)
    # each of the others in a race of its own: some keep their threads busy for a while after they are done
    for name, goal, theirs in (("numpy", 25, numpy_form(x)), ("inductor", 40, by_inductor(x)), ("jax", 18, by_jax(x))):
        if theirs is not None:
            against = race({"ours": ours, name: theirs}, least=0.05)
            took = ns(against.median(name), count)
            yield Row(f"16 M, out=, against {LABELS[name]}", against.ratio(name, "ours"), goal, more=took)
    copied = ns(times.median("copy"), count)
    yield Row("time over a memory copy, 16 M, out=", times.ratio("ours", "copy"), 4, 2.5, False, more=f"copy: {copied}")
    usual = ns(times.median("usual"), count)
    yield Row("x + randn_like(x) * s over a memory copy", times.ratio("usual", "copy"), more=usual)


LABELS = {
    "jax": "JAX jit (threefry)",
    "numpy": "NumPy (SFC64, float32)",
    "inductor": "torch.compile of x + randn_like(x) * s",
}


def numpy_form(x: Tensor) -> Callable[[], object]:
    generator, a, noise = np.random.Generator(np.random.SFC64(0)), x.numpy(), np.empty(x.numel(), np.float32)
    out = np.empty_like(noise)

    def run() -> None:
        generator.standard_normal(out=noise, dtype=np.float32)
        np.multiply(noise, S, out=noise)
        np.add(a, noise, out=out)

    return run


def by_inductor(x: Tensor) -> Callable[[], object]:
    compiled = torch.compile(lambda t: t + torch.randn_like(t) * S)
    return lambda: compiled(x)


def by_jax(x: Tensor) -> Callable[[], object] | None:
    try:
        import jax
    except ImportError:
        print("JAX is not installed: its line is left out")
        return None
    a, key = jax.numpy.asarray(x.numpy()), jax.random.key(0)
    jitted = jax.jit(lambda k, t: t + S * jax.random.normal(k, t.shape, t.dtype))
    return lambda: jitted(key, a).block_until_ready()


def smaller() -> Iterator[Row]:
    """From 1 M down to 4 K, where first the cache and then the call decides."""
    noise, at = tn.Gaussian(S), tn.address(seed=0)
    for count, name, reach, aim in ((M, "1 M", 5, 8), (M // 16, "64 K", 4.5, 6), (4096, "4 K, without grad", 1.2, 2)):
        x = tensor(count)
        times = race(
            {
                "ours": lambda x=x: tn.noisy(x, noise, at),
                "torch": lambda x=x: torch.add(x, torch.randn_like(x), alpha=S),
            }
        )
        took = ns(times.median("ours"), count)
        what = f"{name}, against torch.add(x, randn_like(x), alpha=s)"
        yield Row(what, times.ratio("torch", "ours"), reach, aim, more=took)
    x = tensor(4096).requires_grad_()
    times = race({"ours": lambda: tn.noisy(x, noise, at), "torch": lambda: torch.add(x, torch.randn_like(x), alpha=S)})
    more = f"{times.median('ours') * 1e6:.1f} us a call"
    yield Row("4 K, with grad", times.ratio("torch", "ours"), 0.9, 1.2, more=more)
    x = tensor(M)
    times = race(
        {
            "ours": lambda: tn.noisy(x, tn.Gaussian(1e-6), at, out=x),
            "torch": lambda: x.add_(torch.randn_like(x), alpha=1e-6),
        }
    )
    more = ns(times.median("ours"), M)
    yield Row("in place, 1 M, against x.add_(randn_like(x), alpha=s)", times.ratio("torch", "ours"), 4, 6, more=more)
    h = tensor(M, torch.bfloat16)
    times = race({"ours": lambda: tn.noisy(h, noise, at), "torch": lambda: torch.add(h, torch.randn_like(h), alpha=S)})
    yield Row("bfloat16, 1 M", times.ratio("torch", "ours"), 7, 12, more=ns(times.median("ours"), M))


def dropout() -> Iterator[Row]:
    """Forward and backward at 1 M."""
    x, g = tensor(M).requires_grad_(), torch.ones(M)
    ours, theirs = tn.nn.Dropout(0.1), nn.Dropout(0.1)
    times = race(
        {
            "ours": lambda: torch.autograd.grad(ours(x), x, g),
            "torch": lambda: torch.autograd.grad(theirs(x), x, g),
        }
    )
    more = ns(times.median("ours"), M)
    yield Row("dropout forward and backward, 1 M, against nn.Dropout", times.ratio("torch", "ours"), 6, 10, more=more)


def rows() -> Iterator[Row]:
    """All of this file's results."""
    yield from large()
    yield from smaller()
    yield from dropout()
