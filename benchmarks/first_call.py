"""What the first noise of a process costs: with an empty cache, which compiles the kernels, and with a filled one."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

SCRIPT = """
import time, torch, torchnoise as tn
x, at = torch.zeros(4096), tn.address()
begin = time.perf_counter()
tn.noisy(x, tn.Gaussian(0.1), at)
print(f"{time.perf_counter() - begin:.2f} s")
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for what in ("empty cache", "filled cache"):
            environment = {**os.environ, "TORCHNOISE_CACHE": folder}
            found = subprocess.run(
                [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True
            )
            print(f"{what}: {found.stdout.strip()}")


if __name__ == "__main__":
    main()
