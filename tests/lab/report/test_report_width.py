"""In a real browser: no page is wider than a phone, and none breaks its own policy."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from lab.report import made

from torchnoise.lab.against import compare_results
from torchnoise.lab.report import render

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# The page may run no script, so a copy without its policy is measured.
MEASURE = (
    "<script>addEventListener('load', () => parent.postMessage("
    "document.documentElement.scrollWidth - innerWidth, '*'))</script></body>"
)
FRAME = (
    "<iframe src='page.html' style='width: {width}px; height: 3000px; border: 0'></iframe><p id='out'></p>"
    "<script>addEventListener('message', e => document.getElementById('out').textContent = e.data)</script>"
)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
@pytest.mark.parametrize("case", ["images", "unicode", "evil"])
def test_a_phone_never_scrolls_sideways(case: str, tmp_path: Path) -> None:
    results = made.ALL[case]()
    page = render(results, made.timing(results), compare_results(results, results))
    open_page = re.sub(r"<meta http-equiv[^>]*>", "", page).replace("</body>", MEASURE)
    (tmp_path / "page.html").write_text(open_page, encoding="utf-8")
    (tmp_path / "frame.html").write_text(FRAME.format(width=360), encoding="utf-8")
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000", "--dump-dom"]
    done = subprocess.run([*command, f"file://{tmp_path}/frame.html"], capture_output=True, text=True, timeout=60)
    found = re.search(r'<p id="out">(-?\d+)</p>', done.stdout)
    assert found is not None, done.stderr
    assert int(found[1]) <= 0
