"""Which transform from random words to normal deviates is the fastest, the most accurate, and the same everywhere?

    python benchmarks/transforms/run.py

Compiles transforms.c for three instruction sets of this x86-64 processor, checks bits, measures, prints tables and
writes them to results.md, above the conclusions, which are written by hand.
"""

from __future__ import annotations

import ctypes
import hashlib
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
BUILDS = {  # flags, and what the processor must have
    "AVX512": (["-march=x86-64-v4", "-mprefer-vector-width=512"], {"avx512f", "avx512bw", "avx512dq", "avx512vl"}),
    "AVX2": (["-march=x86-64-v3"], {"avx2", "fma", "bmi2"}),
    "SSE2": (["-march=x86-64"], {"sse2"}),
}
# No fast-math and no contraction, so that the bits do not depend on the processor. The "no" flags change no result:
# they promise that nobody reads errno or the floating-point traps, without which gcc does not vectorise.
FLAGS = ["-std=c11", "-O3", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-shared", "-fPIC"]
WORDS = {"philox_plain": "Philox4x32-10, plain C", "philox": "Philox4x32-10, vector multiply by hand"}
TRANSFORMS = {
    "box_muller": "Box-Muller, integer angle",
    "icdf5": "inverse CDF by table, degree 5",
    "icdf3": "inverse CDF by table, degree 3",
    "icdf5_by_hand": "inverse CDF by table, degree 5, lookup by hand",
    "icdf3_by_hand": "inverse CDF by table, degree 3, lookup by hand",
    "erfinv": "inverse CDF without table (Giles)",
}
N, DRAWN, ROUNDS, TIMES, KEY = 2048, 1 << 20, 300, 300, (0x12345678, 0x9ABCDEF0)
HEAD = f"""# Which transform from words to normal deviates

%s family %s, x86-64, %s cores; gcc, one thread. `run.py` writes all of this but the conclusions.

Nanoseconds for a word or a deviate: minimum (median) of {ROUNDS} measurements, {N} at a time, all in the first-level
cache. A *whole* draws the words (the faster way), transforms them and stores out = x + s z.
"""
BITS = f"""
All builds give the same bits. The words and Box-Muller equal `torchnoise.streams`, also for words at the ends of the
range, of quadrants and of octaves. SHA-256 of {DRAWN} deviates; errors against
the same function in float64.
"""
quantile = np.vectorize(statistics.NormalDist().inv_cdf)


def coefficients(degree: int) -> np.ndarray:
    """[degree + 1, 32]: the normal deviate for tail probability m / 2^32, as a polynomial of m / 2^octave - 1.5.

    Interpolation at Chebyshev nodes, nearly minimax. The column is the low five bits of the exponent of float32 m, so
    octave 0 is in column 31. Octave 31 holds only the m that round to 2^31, the median, and stays zero.
    """
    table = np.zeros((degree + 1, 32), np.float32)
    for octave in range(31):
        nodes = np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1)) / 2
        deviates = -quantile((nodes + 1.5) * 2.0 ** (octave - 32))
        table[:, (octave + 127) & 31] = np.polynomial.polynomial.polyfit(nodes, deviates, degree)
    return table


class Build:
    """One shared library, with its arrays as NumPy arrays."""

    def __init__(self, name: str, folder: str) -> None:
        path = f"{folder}/{name}.so"
        subprocess.run(["gcc", *FLAGS, *BUILDS[name][0], str(HERE / "transforms.c"), "-o", path, "-lm"], check=True)
        self.library = ctypes.CDLL(path)
        self.words, self.out, self.first = self.array("words"), self.array("out", np.float32), self.array("first_block")
        self.array("key")[:2] = KEY
        self.array("x", np.float32)[:] = np.linspace(-1, 1, N)
        self.array("strength", np.float32)[:1] = 0.1
        for degree in (3, 5):
            fit = coefficients(degree)
            self.array(f"table{degree}", np.float32)[: fit.size] = fit.ravel()
            rows = self.array(f"rows{degree}", np.float32)[:256].reshape(32, 8)
            rows[:, : degree + 1] = fit.T

    def array(self, name: str, dtype: type = np.uint32) -> np.ndarray:
        """The memory from this name on."""
        return np.frombuffer((ctypes.c_uint32 * N).in_dll(self.library, name), dtype)

    def draw(self, kernel: str) -> np.ndarray:
        """The first words of the stream."""
        result = np.empty((DRAWN // N, N), np.uint32)
        for i, row in enumerate(result):
            self.first[0] = i * N // 4
            self.library[kernel]()
            row[:] = self.words
        return result.ravel()

    def apply(self, kernel: str, words: np.ndarray) -> np.ndarray:
        """The deviates for these words."""
        result = np.empty((words.size // N, N), np.float32)
        for given, row in zip(words.reshape(-1, N), result, strict=True):
            self.words[:] = given
            self.library[kernel]()
            row[:] = self.out
        return result.ravel()

    def ns(self, kernel: str) -> float:
        """Nanoseconds for one word or deviate."""
        start = time.perf_counter_ns()
        self.library.repeat(self.library[kernel], TIMES)
        return (time.perf_counter_ns() - start) / (TIMES * N)


def check(builds: dict[str, Build]) -> list[str]:
    """Assert which bits are equal; rows of the table of bits and errors."""
    import torch

    from torchnoise.streams.normal import normal
    from torchnoise.streams.philox import philox

    zero = torch.zeros((), dtype=torch.int64)
    drawn = philox((torch.arange(DRAWN // 4), zero, zero, zero), torch.tensor(KEY)).flatten().numpy().astype(np.uint32)
    for build in builds.values():
        assert all(np.array_equal(build.draw(kernel), drawn) for kernel in WORDS)
    # Besides, every pair of words at an end of something. A multiple of N in all: the last pairs come twice.
    ends = sorted({(1 << k) + d & 0xFFFFFFFF for k in range(33) for d in (-1, 0, 1)} | {3 << 29, 5 << 29, 7 << 29})
    pairs = np.array([(a, b) for a in ends for b in ends], np.uint32).ravel()
    words = np.concatenate([drawn, np.resize(pairs, -(-pairs.size // N) * N)])

    by_library = normal(torch.from_numpy(words.astype(np.int64)).view(-1, 4)).numpy().ravel()
    radius, angle = np.sqrt(-2 * np.log((words[::2] + 0.5) / 2.0**32)), 2 * np.pi * (words[1::2] / 2.0**32)
    by_pair = np.stack((radius * np.cos(angle), radius * np.sin(angle)), -1).ravel()
    by_word = -quantile(((words & 0x7FFFFFFF) | 1) / 2.0**32) * np.where(words >> 31, -1, 1)
    lines = []
    for kernel, title in TRANSFORMS.items():
        z, *others = (build.apply(kernel, words) for build in builds.values())
        assert all(z.tobytes() == other.tobytes() for other in others), f"{kernel} differs between builds"
        if kernel == "box_muller":
            assert z.tobytes() == by_library.tobytes(), "Box-Muller differs from the library"
        digest = hashlib.sha256(z[:DRAWN].tobytes()).hexdigest()[:16]
        error = np.abs(z - (by_pair if kernel == "box_muller" else by_word))[:DRAWN]
        rms = np.sqrt((error**2).mean())
        lines.append(f"| {title} | `{digest}` | {error.max():.1e} | {rms:.1e} | {np.abs(z).max():.3f} |")
    return lines


def measure(builds: dict[str, Build]) -> list[str]:
    """Rows of the table of times. All kernels of all builds take turns: a busy moment hits all of them and not one."""
    titles = WORDS | TRANSFORMS | {f"{k}_whole": f"whole: {title}" for k, title in TRANSFORMS.items()}
    times: dict[tuple[str, str], list[float]] = {(k, b): [] for k in titles for b in builds}
    for _ in range(ROUNDS):
        for (kernel, build), row in times.items():
            row.append(builds[build].ns(kernel))
    cells = {at: f"{min(row):.3f} ({statistics.median(row):.3f})" for at, row in times.items()}
    return [f"| {title} | " + " | ".join(cells[k, b] for b in builds) + " |" for k, title in titles.items()]


def main() -> None:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = {key.strip(): value.strip() for key, value in (line.split(":", 1) for line in lines if ":" in line)}
    with tempfile.TemporaryDirectory() as folder:
        builds = {n: Build(n, folder) for n, (_, needs) in BUILDS.items() if needs <= set(cpu["flags"].split())}
        report = [HEAD % (cpu["vendor_id"], cpu["cpu family"], lines.count(""))]
        report += ["| | " + " | ".join(builds) + " |", "|---|" + "---|" * len(builds), *measure(builds), BITS]
        report += ["| | SHA-256 | largest error | root mean square error | largest deviate |", "|---|---|---|---|---|"]
        report += [*check(builds), ""]
    print("\n".join(report))
    path = HERE / "results.md"
    _, mark, conclusions = (path.read_text() if path.exists() else "").partition("## Conclusions")
    path.write_text("\n".join([*report, mark + conclusions]).rstrip() + "\n")


if __name__ == "__main__":
    main()
