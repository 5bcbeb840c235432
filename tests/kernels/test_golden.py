"""Stream version 1, frozen: what every shipped source draws at fixed addresses, as hashes of its bits.

    python tests/kernels/test_golden.py --write     writes golden.json anew

Whoever has to write it anew has changed what old seeds mean, and must raise streams.address.VERSION first.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from draws import DTYPES, SHIPPED, Call, at, bits, call, fast, slow
from torch import Tensor

from torchnoise.streams.address import VERSION

TABLE = Path(__file__).parent / "golden.json"
KEY, STEP = (0x8326DE67, 0xF008EE0C), 123_456_789
# a shape, its batch axis, the number of its first element
PLACES = [((3, 5), 0, 0), ((2, 1000), 0, 0), ((1, 4099), 0, 0), ((), None, 0), ((4, 6), 1, 0)]
PLACES += [((7, 9), None, 2**34 - 30)]


def exact(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Numbers from -4 to 4 that every dtype holds."""
    count = torch.Size(shape).numel()
    return ((torch.arange(count) * 37 % 256 - 128) / 32).to(dtype).view(shape)


def cases(name: str) -> Iterator[tuple[str, Call]]:
    """Every row of the table for one source and combine, with its call."""
    noise = SHIPPED[name]
    for dtype in DTYPES:
        for shape, axis, first in PLACES:
            x = exact(shape, dtype)
            examples = torch.arange(1 if axis is None else shape[axis]) * 1_000_003 + 2**31
            one = call(x, noise, at(examples, KEY, STEP), batch_axis=axis, first=first)
            title = f"{name}, {str(dtype).removeprefix('torch.')}, {'x'.join(map(str, shape)) or 'no axes'}"
            title += f", examples along {axis}" * (axis != 0) + f", from {first}" * (first != 0)
            yield title, one
            if shape == (3, 5) and noise.combine != "multiply":
                scale = exact(shape, torch.float32).abs() + 0.5
                keep = torch.arange(15).view(3, 5) % 4 != 1
                yield f"{title}, scaled and masked", one._replace(scale=scale, keep=keep)


def digest(t: Tensor) -> str:
    """16 hexadecimal digits of the SHA-256 of a tensor's bits, least significant byte first, in row-major order."""
    raw = bits(t).numpy()
    return hashlib.sha256(raw.astype(raw.dtype.newbyteorder("<")).tobytes()).hexdigest()[:16]


def table() -> dict[str, str]:
    stored = json.loads(TABLE.read_text())
    assert stored["version"] == VERSION == 1
    return stored["hashes"]


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("form", [fast, slow], ids=["kernel", "oracle"])
def test_the_stream_is_what_it_was(name: str, form: Callable) -> None:
    """Broken on purpose: anything at all that changes a bit, such as a coefficient in its last digit."""
    stored = table()
    changed = [title for title, one in cases(name) if stored[title] != digest(form(one))]
    assert changed == []


OLDER = {  # processors that an x86-64 with AVX512 can stand in for
    "SSE2": ("x86-64", "+sse2"),
    "AVX2": ("haswell", "+sse4.2,+popcnt,+avx,+avx2,+fma,+bmi,+bmi2,+f16c"),
}


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="compiles for x86-64")
@pytest.mark.parametrize("name", OLDER)
def test_older_processors_have_the_same_bits(name: str) -> None:
    """The kernels, compiled anew for other instruction sets. Broken on purpose: fast-math, which fuses and reorders."""
    processor, features = OLDER[name]
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", __file__, "-k", "stream and kernel"],
        env={**os.environ, "NUMBA_CPU_NAME": processor, "NUMBA_CPU_FEATURES": features},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stdout[-3000:]


def test_the_table_is_whole() -> None:
    """No row without a test, and no two rows alike by accident: only tiny tensors with few hits may be."""
    stored = table()
    assert list(stored) == [title for name in SHIPPED for title, _ in cases(name)]
    large = [h for title, h in stored.items() if "4099" in title or "1000" in title]
    assert len(set(large)) == len(large)


def write() -> None:
    rows = {title: digest(slow(one)) for name in SHIPPED for title, one in cases(name)}
    TABLE.write_text(json.dumps({"version": VERSION, "hashes": rows}, indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit(__doc__)
    write()
