"""Public batteries of tests, fed with words from neighbouring addresses in turn. Both programs read standard input."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np

LIBRARIES = ["-ltestu01", "-lprobdist", "-lmylib", "-lm"]


def feed(command: list[str], words: Iterable[np.ndarray]) -> str:
    """What a program prints that reads these words, or as many of them as it wants."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=errors)
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            for part in words:
                process.stdin.write(part.astype("<u4", copy=False).data)
            process.stdin.close()
        code = process.wait()
        output.seek(0)
        errors.seek(0)
        text = output.read().decode()
        if code:
            raise RuntimeError(f"{command[0]}: exit status {code}: {errors.read().decode()[-500:]}")
    return text


class SmallCrush:
    """TestU01's SmallCrush: 10 tests, 15 p-values, from some 2^28 words at most."""

    def __init__(self, prefix: str) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._program = f"{self._folder.name}/smallcrush"
        source = Path(__file__).parent / "smallcrush.c"
        where = ["-I", f"{prefix}/include", "-L", f"{prefix}/lib"]
        subprocess.run(["gcc", "-O2", str(source), *where, *LIBRARIES, "-o", self._program], check=True)

    def __call__(self, words: Iterable[np.ndarray]) -> dict[str, float]:
        """p-values by test; TestU01 calls those outside [0.001, 0.999] suspect."""
        found: dict[str, float] = {}
        for line in feed([self._program], words).splitlines():
            if line.startswith("p-value\t"):
                _, name, p = line.split("\t")
                found[f"{name.strip()} {len(found) + 1}"] = float(p)
        return found


class PractRand:
    """PractRand's RNG_test with its core tests on 32-bit words."""

    def __init__(self, program: str) -> None:
        self._program = program
        version = subprocess.run([program, "-version"], capture_output=True, text=True).stdout
        self.version = (re.search(r"version (\S+)", version) or ["", "of unknown version"])[1]

    def __call__(self, words: Iterable[np.ndarray], total: int) -> tuple[int, list[str]]:
        """The number of results on all `total` words, and the lines of those that are not unremarkable."""
        size = f"{total * 4 // 2**20}MB"
        text = feed([self._program, "stdin32", "-tlmin", size, "-tlmax", size], words)
        if quiet := re.search(r"no anomalies in (\d+) test", text):
            return int(quiet[1]), []
        counts = re.search(r"and (\d+) test result", text)
        lines = [line for line in text.splitlines() if re.search(r"unusual|suspicious|FAIL", line, re.IGNORECASE)]
        if counts is None:
            raise RuntimeError(f"PractRand: no verdict in {text[-500:]!r}")
        return int(counts[1]) + len(lines), [" ".join(line.split()) for line in lines]


def is_bad(line: str) -> bool:
    """PractRand's grades from "unusual" up come by chance; these two do not."""
    return "VERY SUSPICIOUS" in line or "FAIL" in line
