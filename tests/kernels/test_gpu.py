"""The GPU's kernels have the oracle's bits: under Triton's interpreter on any machine, and on NVIDIA GPUs.

The same tests run on both. Triton decides when it is imported whether it interprets, hence a process of its own; and
one more in which kernels are compiled for GPUs that this machine need not have.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from cases import same
from torch import Tensor

import torchnoise as tn
from torchnoise import oracle
from torchnoise.kernels import Kernel, gpu
from torchnoise.kernels.normal import normal as normal_block
from torchnoise.kernels.scalar import f32, scalar, u32
from torchnoise.noise import RandomNoise
from torchnoise.oracle import Static
from torchnoise.perturb import perturb
from torchnoise.streams import Address, normal, words

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
DEVICE = "cpu" if INTERPRETED else "cuda"
HAS_TRITON = importlib.util.find_spec("triton") is not None
runs = pytest.mark.skipif(
    not (HAS_TRITON and (INTERPRETED or torch.cuda.is_available())), reason="no GPU; run under the interpreter instead"
)
on_gpu = pytest.mark.skipif(INTERPRETED or not torch.cuda.is_available(), reason="no GPU")

NOISES = [
    *(s(0.3, combine=c) for s in (tn.Gaussian, tn.Uniform) for c in ("add", "multiply", "replace")),
    *(tn.Bernoulli(0.3, combine=c, value=v) for c in ("multiply", "add", "replace") for v in (0.0, 0.1)),
    *(tn.Laplace(0.3), tn.StudentT(0.3, df=4), tn.Rademacher(0.3), tn.LogNormal(0.3), tn.GaussianDropout(0.3)),
    tn.SaltAndPepper(0.3, low=-0.7, high=1.9),
    tn.Poisson(0.3),
]
DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
TOP = 2**32 - 1
UNIFORM = NOISES[3]  # what the interpreter draws soonest


@pytest.mark.skipif(INTERPRETED or not HAS_TRITON, reason="no Triton, or already there")
def test_under_the_interpreter() -> None:
    """Everything below, on the CPU."""
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", __file__],
        env={**os.environ, "TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout
    assert " passed" in found.stdout


@pytest.mark.skipif(INTERPRETED or not HAS_TRITON, reason="no Triton, or not to be compiled")
def test_compiled_for_gpus() -> None:
    """The compiler takes every kernel, and leaves no float operation that is fused, approximate, or flushes to zero."""
    code = "import test_gpu as t; t.compile_for(80, t.NOISES[::2]); t.compile_for(90, t.NOISES[1::2])"
    folders = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    with tempfile.TemporaryDirectory() as cache:
        found = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(folders), "TRITON_CACHE_DIR": cache},
            capture_output=True,
            text=True,
            check=False,
        )
    assert found.returncode == 0, found.stderr


def compile_for(capability: int, noises: list[RandomNoise]) -> None:
    """Compile the kernel of each for GPUs of a compute capability, in a process that runs no kernel."""
    from triton.backends.compiler import GPUTarget
    from triton.runtime import driver

    from torchnoise.kernels import gpu_kernel, jobs
    from torchnoise.kernels.rows import rows

    target = GPUTarget("cuda", capability, 32)
    here = SimpleNamespace(
        get_current_target=lambda: target, get_current_device=lambda: capability, get_current_stream=lambda device: 0
    )
    driver.set_active(here)

    class Warmup:
        """Where a kernel would be launched, it is compiled."""

        def __getitem__(self, grid: tuple) -> Callable:
            return lambda *given, **more: codes.append(kernel.warmup(*given, grid=grid, **more).asm["ptx"])

    codes: list[str] = []
    kernel, gpu_kernel.perturb = gpu_kernel.perturb, Warmup()
    try:
        for number, noise in enumerate(noises):
            dtype, source = DTYPES[number % 4], noise.kernel(noise.combine)
            assert source is not None
            x, batch_axis = list(LAYOUTS.values())[number]
            x = x.to(dtype)
            strides = (x.stride(), x.stride(), *[(0,) * x.dim()] * 2)
            address = at(1 if batch_axis is None else x.shape[batch_axis])
            functions = gpu._functions(source.prepare, source.block, source.combine, dtype)
            lie = rows(x.shape, batch_axis, len(address.examples), strides)
            gpu._launch(
                (x, x, None, None, torch.tensor(0.3), *address),
                functions,
                lie,
                0,
                jobs.float_bits(0.5),
                jobs.float_bits(0.0),
            )
    finally:
        gpu_kernel.perturb = kernel
    for code in codes:
        operations = set(re.findall(r"^\s*(?:@\S+\s+)?([a-z]\w*(?:\.\w+)*)", code, re.MULTILINE))
        assert operations & {"st.global.b32", "st.global.b16", "st.global.b64"} or "st.global.v" in code
        assert not [o for o in operations if re.search(r"fma|mad.*\.f|approx|full|ftz", o)]


@pytest.fixture(autouse=True)
def no_excuse() -> Iterator[None]:
    """A kernel that cannot be compiled is an error here."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield


def numbers(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Of all sizes, zeros of both signs and infinity among them."""
    generator = torch.Generator().manual_seed(len(shape))
    size = torch.empty(shape, dtype=torch.float64).uniform_(-45, 5, generator=generator)
    x = (torch.randn(shape, generator=generator, dtype=torch.float64) * 10**size).to(dtype)
    x[..., ::3] = torch.randn(shape, generator=generator, dtype=torch.float64)[..., ::3].to(dtype)
    flat = x.view(-1)
    flat[:2], flat[4:6] = torch.tensor([0.0, -0.0]), torch.tensor([float("inf"), -1.0])
    return x


def at(examples: int | list[int], step: int = TOP, key: tuple[int, int] = (TOP, 12345)) -> Address:
    number = list(range(examples)) if isinstance(examples, int) else examples
    return Address(torch.tensor(key), torch.tensor(step), torch.tensor(number))


def moved(t: Tensor) -> Tensor:
    """To the device, with its strides."""
    size = t.untyped_storage().nbytes() // t.itemsize - t.storage_offset()
    return t.as_strided((size,), (1,)).to(DEVICE).as_strided(t.shape, t.stride())


def check(
    x: Tensor,
    noise: RandomNoise = NOISES[0],
    *,
    combine: str | None = None,
    address: Address | None = None,
    strength: float = 0.3,
    batch_axis: int | None = 0,
    first: int = 0,
    scale: Tensor | None = None,
    keep: Tensor | None = None,
    out: Tensor | None = None,
) -> None:
    """The kernel's bits are the oracle's."""
    combine = combine or noise.combine
    address = address or at(1 if batch_axis is None else x.shape[batch_axis])
    much = torch.tensor(strength)
    static = Static(noise, combine, batch_axis, first)
    want = oracle.perturb(x, static, much, address, scale, keep) if x.numel() else x
    kernel = noise.kernel(combine)
    assert kernel is not None
    there = moved(x)
    got = torch.empty_like(there) if out is None else there if out is x else out.to(DEVICE)
    place = Address(*(t.to(DEVICE) for t in address))
    sides = [None if t is None else t.to(DEVICE) for t in (scale, keep)]
    assert gpu.perturb(there, got, kernel, much.to(DEVICE), place, *sides, batch_axis, first)
    assert same(got.cpu(), want)


@runs
@pytest.mark.parametrize("noise", NOISES, ids=str)
def test_noises(noise: RandomNoise) -> None:
    """Every source in every dtype, under its own combine and the one its gradient takes."""
    generator = torch.Generator().manual_seed(1)
    for dtype in DTYPES:
        x = numbers(3, 5, 7, dtype=dtype)
        check(x, noise, address=at([5, TOP - 1, TOP]))
        if noise.combine == "replace":
            check(x, noise, combine="erase")
        if noise.combine != "multiply":
            some = torch.rand(3, 5, 7, generator=generator)
            check(x, noise, scale=some[:, :1, :1], keep=some < 0.7, first=7)


LAYOUTS = {
    "aligned": (numbers(4, 64), 0),
    "a multiple of 4": (numbers(3, 20), 0),
    "several tiles": (numbers(2, 4 * 512 + 5), 0),
    "few elements": (numbers(700, 3), 0),
    "batch second": (numbers(5, 3, 7), 1),
    "batch last": (numbers(3, 4, 6), 2),
    "no batch": (numbers(11, 13), None),
    "channels last": (numbers(2, 6, 3, 5).to(memory_format=torch.channels_last), 0),
    "transposed": (numbers(6, 8).t(), 0),
    "every second": (numbers(4, 22)[:, ::2], 0),
    "expanded": (numbers(4, 1, 5).expand(4, 3, 5), 0),
    "three outer axes": (numbers(2, 3, 2, 3, 5).permute(4, 2, 1, 3, 0), 0),
    "one number": (torch.tensor(0.5), None),
    "nothing": (torch.empty(0, 3), 0),
    "nothing of each": (torch.empty(3, 0), 0),
}


@runs
@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts(name: str) -> None:
    """Wherever elements lie, and wherever a draw begins: also where the number of a block outgrows 32 bits."""
    x, batch_axis = LAYOUTS[name]
    for first in (0, 7, 4 * 2**32 - 6):
        check(x, UNIFORM, batch_axis=batch_axis, first=first)
    check(x, UNIFORM, batch_axis=batch_axis, out=torch.full_like(x.contiguous(), 9.0))


@runs
@pytest.mark.parametrize("name", ["aligned", "batch second", "channels last", "expanded"])
def test_scale_and_keep(name: str) -> None:
    """One number, one for each row, one for each element, in any order of memory."""
    x, batch_axis = LAYOUTS[name]
    generator = torch.Generator().manual_seed(2)
    row = [n if a == batch_axis else 1 for a, n in enumerate(x.shape)]
    for shape in ([1] * x.dim(), row, list(x.shape)):
        some = torch.rand(shape, generator=generator)
        check(x, UNIFORM, batch_axis=batch_axis, scale=some)
        check(x, UNIFORM, batch_axis=batch_axis, keep=some < 0.5, first=3)
    each = torch.rand(list(reversed(x.shape)), generator=generator).permute(*reversed(range(x.dim())))
    check(x, UNIFORM, batch_axis=batch_axis, scale=each, keep=each < 0.6)
    check(x.double(), UNIFORM, batch_axis=batch_axis, scale=each.double())


@runs
def test_successive_entries_share_an_example() -> None:
    check(numbers(6, 10), address=at(2))
    check(numbers(5, 6, 3), address=at(3), batch_axis=1, first=2)


@runs
def test_wide_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """64-bit places, as for tensors of more than 2^31 elements."""
    plan = gpu._plan

    def wide(*given: Any) -> tuple:
        programs, numbers, constants = plan(*given)
        return programs, numbers, {**constants, "WIDE": True}

    monkeypatch.setattr(gpu, "_plan", wide)
    for name in ("several tiles", "batch second", "channels last"):
        check(LAYOUTS[name][0], UNIFORM, batch_axis=LAYOUTS[name][1], first=1)


@runs
@pytest.mark.parametrize("noise", [NOISES[0], NOISES[2], NOISES[6]], ids=str)
def test_what_is_left_alone_keeps_its_bits(noise: RandomNoise) -> None:
    """At strength 0, and where keep is False: the sign of zero, values that are not numbers."""
    for dtype in DTYPES:
        x = numbers(3, 50, dtype=dtype)
        x[:, 3] = float("nan")
        check(x, noise, strength=0.0)
        check(x, noise, keep=torch.zeros(3, 1, dtype=torch.bool))


@runs
def test_in_place() -> None:
    x = numbers(3, 37)
    check(x, out=x)


@runs
def test_what_it_cannot_do() -> None:
    """It says so, and writes nothing."""
    kernel = NOISES[0].kernel("add")
    assert kernel is not None
    address, much = Address(*(t.to(DEVICE) for t in at(1))), torch.tensor(0.3, device=DEVICE)
    whole = torch.ones(3, dtype=torch.int64, device=DEVICE)
    assert not gpu.perturb(whole, whole, kernel, much, address)
    many = torch.zeros((2,) * 12, device=DEVICE).permute(10, 8, 6, 4, 2, 0, 1, 3, 5, 7, 9, 11)
    assert not gpu.perturb(many, torch.empty_like(many), kernel, much, address, batch_axis=None)
    assert not many.any()


@scalar
def _prepare(strength, constants):
    first, _ = constants
    return f32(first)


@scalar
def _upper(w0, w1, w2, w3, prepared):
    return f32(w0 >> u32(16)), f32(w1 >> u32(16)), f32(w2 >> u32(16)), f32(w3 >> u32(16))


@scalar
def _lower(w0, w1, w2, w3, prepared):
    return f32(w0 & u32(0xFFFF)), f32(w1 & u32(0xFFFF)), f32(w2 & u32(0xFFFF)), f32(w3 & u32(0xFFFF))


@scalar
def _near(word):
    return u32(u32(u32(word >> u32(29)) << u32(29)) + u32(word & u32(15))) - u32(8)


@scalar
def _normal_near(w0, w1, w2, w3, prepared):
    return normal_block(_near(w0), _near(w1), _near(w2), _near(w3))


def drawn(block: Callable, address: Address, count: int, first: int = 0) -> Tensor:
    """What a source of one's own gives."""
    x = torch.zeros(len(address.examples), count, device=DEVICE)
    place, one = Address(*(t.to(DEVICE) for t in address)), torch.ones((), device=DEVICE)
    assert gpu.perturb(x, x, Kernel(_prepare, block, "replace"), one, place, batch_axis=0, first=first)
    return x.cpu()


@runs
def test_words() -> None:
    """The integers themselves, for keys, steps, examples and blocks up to the largest."""
    address = at([0, 1, 2**31, TOP], step=2**31 + 5, key=(2**31 + 1, TOP))
    for first in (0, 4 * 2**32 - 8):
        upper, lower = drawn(_upper, address, 32, first), drawn(_lower, address, 32, first)
        assert torch.equal(upper.long() * 2**16 + lower.long(), words(address, 32, first).flatten(1))


@runs
def test_edges_of_the_normal() -> None:
    """Around every eighth of the words' range, where the transform's pieces meet and draws would hardly come."""
    w = words(at(2), 4000).flatten(1)
    want = normal((((w >> 29) << 29) + (w & 15) - 8) % 2**32)
    assert same(drawn(_normal_near, at(2), 4000), want)


@scalar
def _broken(w0, w1, w2, w3, prepared):
    return sorted(w0)


@runs
def test_a_kernel_that_cannot_be_compiled_is_refused_once() -> None:
    """One warning with the reason; the caller takes the slow form."""
    address, much = Address(*(t.to(DEVICE) for t in at(1))), torch.tensor(0.3, device=DEVICE)
    x, kernel = torch.zeros(1, 8, device=DEVICE), Kernel(_prepare, _broken, "add")
    with pytest.warns(RuntimeWarning, match="no GPU kernel.*sorted"):
        assert not gpu.perturb(x, x, kernel, much, address)
    assert not gpu.perturb(x, x, kernel, much, address)


# -- on a GPU only -----------------------------------------------------------------------------------------------------


@on_gpu
@pytest.mark.parametrize("dtype", DTYPES)
def test_hashes_are_equal_between_devices(dtype: torch.dtype) -> None:
    """A million elements of each noise, drawn on the CPU and on the GPU."""
    address, much = at(4), torch.tensor(0.3)
    place = Address(*(t.to(DEVICE) for t in address))
    for noise in NOISES:
        x, kernel = numbers(4, 2**18 + 3, dtype=dtype).nan_to_num(), noise.kernel(noise.combine)
        assert kernel is not None
        there = x.to(DEVICE)
        assert gpu.perturb(there, there, kernel, much.to(DEVICE), place, batch_axis=0)
        here = perturb(x, Static(noise, noise.combine, 0), much, address)
        assert fingerprint(there.cpu()) == fingerprint(here)


def fingerprint(t: Tensor) -> str:
    return hashlib.sha256(t.contiguous().view(torch.uint8).numpy().tobytes()).hexdigest()


@on_gpu
def test_no_waiting_and_cuda_graphs() -> None:
    """Nothing is read back; a captured graph draws at the step that it finds in memory."""
    noise, x = NOISES[0], numbers(4, 100)
    kernel, address, much = noise.kernel(noise.combine), at(4, step=0), torch.tensor(0.3)
    assert kernel is not None
    place, there, strength = Address(*(t.to(DEVICE) for t in address)), x.to(DEVICE), much.to(DEVICE)
    out = torch.empty_like(there)

    def draw() -> None:
        assert gpu.perturb(there, out, kernel, strength, place, batch_axis=0)

    draw()
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        draw()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        draw()
    for step in range(3):
        place.step.fill_(step)
        graph.replay()
        want = oracle.perturb(x, Static(noise, "add", 0), much, address._replace(step=torch.tensor(step)), None, None)
        assert same(out.cpu(), want)


@on_gpu
def test_more_elements_than_32_bits_count() -> None:
    """The end of a tensor of 2^31 + 12 elements is what a slice of the draw says."""
    count = 2**31 + 12
    if torch.cuda.mem_get_info()[0] < 3 * count:
        pytest.skip("too little memory")
    x, kernel = torch.zeros(count, dtype=torch.bfloat16, device=DEVICE), NOISES[0].kernel("add")
    assert kernel is not None
    address, much = at(1), torch.tensor(0.3)
    place = Address(*(t.to(DEVICE) for t in address))
    assert gpu.perturb(x, x, kernel, much.to(DEVICE), place)
    tail = torch.zeros(50, dtype=torch.bfloat16)
    want = oracle.perturb(tail, Static(NOISES[0], "add", None, count - 50), much, address, None, None)
    assert same(x[-50:].cpu(), want)
