"""How often the verdict of a comparison is wrong, and how often it finds what is there.

    python benchmarks/verdict/run.py [--write] [--quick]

Whole comparisons of seven noises at five strengths, in worlds where the truth is known: training is replaced by drawn
scores, all else is what `torchnoise compare` does. --write puts the tables into docs/evidence/verdict.md and draws its
picture (some minutes); --quick takes seconds and shows only that it runs.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "evidence"))  # kit, which all studies share

from kit.study import Study
from parts import detected, effects, intervals, naive, null, planted
from shown import draw, tables

STUDY = Study(
    "verdict",
    {
        "intervals": intervals,
        "effects": effects,
        "null": null,
        "naive": naive,
        "planted": planted,
        "detectable": detected,
    },
    tables,
    draw,
    needs_data=False,
)

if __name__ == "__main__":
    STUDY.run(__doc__ or "")
