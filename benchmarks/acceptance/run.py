"""Is the stream random enough to be frozen?

    python benchmarks/acceptance/run.py [--practrand RNG_test] [--testu01 PREFIX]

Draws with the fast kernels, tests, prints, and writes results.md. RNG_test is PractRand's program and PREFIX where
TestU01 is installed; without them the batteries are left out, and results.md says so.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import measures
import numpy as np
import torch
from battery import PractRand, SmallCrush, is_bad
from draws import (
    NEIGHBOURS,
    NORMAL,
    call_keys,
    check_words,
    elements,
    interleaved,
    one_after_another,
    raw,
    site_keys,
)
from scipy import special, stats

import torchnoise as tn
from torchnoise.streams import Address, words
from torchnoise.streams.address import VERSION

N = 10**8
WIDE, LONG = 16, 1 << 20  # neighbours, elements of each
BATTERY = 1 << 28  # words for each battery
CRUSHED = ("seeds 0, 1, 2 ...", "steps 0, 1, 2 ...", "examples 0, 1, 2 ...", "calls 0, 1, 2 ...")
ALARM = 1e-3  # the chance that a perfect stream fails the whole run
MEGA = 10**6

results: list[tuple[str, float]] = []
text: list[str] = []


def say(line: str = "") -> None:
    text.append(line)
    print(line, flush=True)


def judge(name: str, p: float) -> str:
    """Put a p-value among those that the verdict is about."""
    results.append((name, p))
    return f"{p:.2g}" if p < 0.1 else f"{p:.2f}"


def table(head: list[str], lines: list[list[str]]) -> None:
    for line in (head, ["---"] * len(head), *lines):
        say("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |")
    say()


# -- one distribution --------------------------------------------------------------------------------------------------


def one_address() -> np.ndarray:
    return elements(NORMAL, tn.address(), N)


def steps_and_examples() -> np.ndarray:
    """1000 steps of 1000 examples of 100 elements."""
    x = torch.empty(1000, 1000, 100)
    for step, part in enumerate(x):
        tn.noisy(part, NORMAL, tn.address(step=step, examples=1000, path="batch"), out=part)
    return x.view(-1).numpy()


def seeds_sites_passes() -> np.ndarray:
    """100 seeds of 100 sites of 10 passes of 1000 elements."""
    x = torch.empty(100 * 100 * 10, 1, 1000)
    for i, part in enumerate(x):
        seed, site, pass_ = i // 1000, i // 10 % 100, i % 10
        tn.noisy(part, NORMAL, tn.address(seed=seed, path=f"sites.{site}", pass_=str(pass_)), out=part)
    return x.view(-1).numpy()


SAMPLES: dict[str, Callable[[], np.ndarray]] = {
    "one address": one_address,
    "1000 steps x 1000 examples": steps_and_examples,
    "100 seeds x 100 sites x 10 passes": seeds_sites_passes,
}


def normals() -> None:
    columns = []
    for name, draw in SAMPLES.items():
        z = draw()
        column: dict[str, str] = {}
        for k, score in measures.moment_scores(z).items():
            column[f"moment {k}"] = f"{judge(f'{name}: moment {k}', measures.of_z(score))} ({score:+.2f})"
        z.sort()
        column["Kolmogorov-Smirnov"] = judge(f"{name}: KS", measures.kolmogorov_smirnov(z, special.ndtr))
        column["Anderson-Darling"] = judge(f"{name}: AD", measures.anderson_darling(z))
        column["chi-square, 1000 bins"] = judge(f"{name}: bins", measures.equiprobable_bins(z, special.ndtri, 1000))
        for where, (count, expected, p) in measures.tails(z).items():
            column[where] = f"{judge(f'{name}: {where}', p)} ({count}, expected {expected:.1f})"
        most, p = measures.largest(z)
        column["largest deviate"] = f"{judge(f'{name}: largest', p)} ({most:.3f})"
        columns.append(column)
    say("## Normal deviates: p-values at 1e8 each (in brackets standard scores, counts)\n")
    table(["", *SAMPLES], [[row, *(c[row] for c in columns)] for row in columns[0]])


def others() -> None:
    say("## Uniform and Bernoulli: p-values at 1e8 each\n")
    u = elements(tn.Uniform(1.0, combine="replace"), tn.address(path="uniform"), N)
    u.sort()
    lines = [
        ["Uniform, Kolmogorov-Smirnov", judge("uniform: KS", measures.kolmogorov_smirnov(u, lambda v: (v + 1) / 2))],
        [
            "Uniform, chi-square, 1024 bins",
            judge("uniform: bins", measures.equiprobable_bins(u, lambda v: 2 * v - 1, 1024)),
        ],
    ]
    for strength in (0.001, 0.1, 0.5, 0.999):
        noise = tn.Bernoulli(strength, value=1.0, combine="replace")
        x = torch.zeros(1, N)  # what is missed keeps its 0
        hits = int(tn.noisy(x, noise, tn.address(path=f"bernoulli {strength}"), out=x).count_nonzero())
        p = int(float(np.float32(strength)) * 2**32) / 2**32
        lines.append([f"Bernoulli({strength}), hits", judge(f"bernoulli {strength}", measures.of_count(hits, N, p))])
    table(["", "p"], lines)


# -- neighbours --------------------------------------------------------------------------------------------------------


def neighbours() -> None:
    lines = []
    for kind, place in NEIGHBOURS.items():
        line = [kind]
        places = [place(i) for i in range(WIDE)]
        z = np.stack([elements(NORMAL, at, LONG, first) for at, first in places])
        for name, (pooled, every) in measures.correlation_scores(z).items():
            line.append(f"{judge(f'{kind}: {name}, adjacent', measures.of_z(pooled))} ({pooled:+.2f})")
            line.append(judge(f"{kind}: {name}, all pairs", every))
        w = np.stack([raw(at, LONG, first) for at, first in places])
        for name, p in measures.bit_tests(w[1:] ^ w[:-1]).items():
            line.append(judge(f"{kind}: XOR, {name}", p))
        lines.append(line)
    say(f"""## Neighbouring streams: p-values

{WIDE} neighbours with 2^20 elements each. *adj*: correlation of adjacent ones, {(WIDE - 1) * LONG / MEGA:.1f} million
pairs (in brackets the standard score); *all*: chi-square of the correlations of all {WIDE * (WIDE - 1) // 2} pairs.
Then the bits of the XOR of adjacent words: ones at each of 32 positions (chi-square, and the worst position), and
values of bytes.
""")
    heads = [f"{name} {which}" for name in measures.FUNCTIONS for which in ("adj", "all")]
    table(["", *heads, "bits", "worst bit", "bytes"], lines)


def positions() -> None:
    count = 1 << 26
    z = elements(NORMAL, tn.address(path="lags"), count)
    lines = []
    phases = (
        "Box-Muller partners, words 0, 1",
        "words 1, 2",
        "Box-Muller partners, words 2, 3",
        "next block, words 3, 0",
    )
    cases: list[tuple[str, int, int | None]] = [(f"lag 1, {name}", 1, phase) for phase, name in enumerate(phases)]
    # blocks of 4, vectors of 16, chunks of 2048 elements; then far apart
    cases += [(f"lag {lag}", lag, None) for lag in (2, 3, 4, 5, 6, 7, 8, 16, 64, 2048, 2**20)]
    for name, lag, phase in cases:
        line = [name]
        for what, score in measures.lag_scores(z, lag, phase).items():
            line.append(f"{judge(f'{name}: {what}', measures.of_z(score))} ({score:+.2f})")
        line.append(
            judge(f"{name}: plane", measures.plane(z[phase::4], z[phase + lag :: 4])) if phase in (0, 2) else ""
        )
        lines.append(line)
    say(f"""## Positions within one draw: p-values

{count // MEGA} million elements, a quarter as many pairs where a row is about two of a block's four words. *plane*:
chi-square of pairs on 64 x 64 cells of equal chance.
""")
    table(["", *measures.FUNCTIONS, "plane"], lines)


def keys() -> None:
    lines = []
    for name, found in (("sites", site_keys(MEGA)), ("calls of 10000 sites", call_keys(10000, 100))):
        assert len(found) == MEGA
        whole = MEGA - len(np.unique(found))
        line = [f"keys of {name}", str(whole)]
        judge(f"keys of {name}: 64 bits", 1.0 if whole == 0 else MEGA**2 / 2**65)
        mean = MEGA - 2**32 * -np.expm1(MEGA * np.log1p(-(2.0**-32)))
        for part, half in (("low", found & np.uint64(2**32 - 1)), ("high", found >> np.uint64(32))):
            twice = MEGA - len(np.unique(half))
            p = judge(f"keys of {name}: {part} half", measures.of_rare(twice, mean))
            line.append(f"{p} ({twice})")
        lines.append(line)
    say(f"""## Keys

A million keys of each kind. Two equal ones would share all their noise; the chance of any is {MEGA**2 / 2**65:.1e}.
Of their halves, {mean:.1f} repetitions are expected: p-values, and in brackets the count.
""")
    table(["", "equal keys", "low 32 bits", "high 32 bits"], lines)


# -- what the tests can see --------------------------------------------------------------------------------------------


def fewer_rounds() -> None:
    """The tests of neighbours on Philox cut short, in the slow form, whose rounds can be set."""
    module = sys.modules["torchnoise.streams.philox"]
    kinds = ("steps 0, 1, 2 ...", "keys 0, 1, 2 ... unhashed")
    lines = []

    def drawn(at: Address) -> np.ndarray:
        return words(at, 1 << 18).numpy().astype(np.uint32).reshape(-1)

    for rounds in (2, 3, 4, 5, 6, 7):
        line = [str(rounds)]
        for kind in kinds:
            module.ROUNDS = rounds
            try:
                w = np.stack([drawn(NEIGHBOURS[kind](i)[0]) for i in range(WIDE)])
            finally:
                module.ROUNDS = 10
            p = min(measures.bit_tests(w[1:] ^ w[:-1]).values())
            line.append(f"{p:.1g}" if p < 0.1 else f"{p:.2f}")
        lines.append(line)
    say("""## What these tests can and cannot see

Philox cut to fewer of its 10 rounds: the least of the three p-values of the XOR of neighbours, from 4 million words.
These are not part of the verdict.
""")
    table(["rounds", *kinds], lines)


# -- batteries ---------------------------------------------------------------------------------------------------------


def streams(total: int) -> Iterator[tuple[str, Iterator[np.ndarray]]]:
    for kind in NEIGHBOURS:
        yield kind, interleaved(kind, total)
    yield "one address", one_after_another(total)


def batteries(practrand: str | None, testu01: str | None) -> list[str]:
    """Runs what there is; returns the anomalies that no sound stream has."""
    say("## Batteries\n")
    torch.set_num_threads(1)  # the other processor is for the battery, and idle threads of torch's pool spin
    bad, head, lines = [], ["words from"], {kind: [kind] for kind, _ in streams(0)}
    if practrand:
        battery = PractRand(practrand)
        head += [f"PractRand {battery.version}, results", "not unremarkable"]
        for kind, drawn in streams(BATTERY):
            count, found = battery(drawn, BATTERY)
            lines[kind] += [str(count), "; ".join(found) or "none"]
            bad += [f"PractRand, {kind}: {line}" for line in found if is_bad(line)]
            print(*lines[kind], flush=True)  # these take minutes
    if testu01:
        crush = SmallCrush(testu01)
        head += ["SmallCrush, p-values", "least and greatest"]
        for kind, drawn in streams(BATTERY):
            if kind not in CRUSHED:
                lines[kind] += ["", ""]
                continue
            found_p = crush(drawn)
            for name, p in found_p.items():
                judge(f"SmallCrush, {kind}: {name}", measures.both(p, 1 - p))
            lines[kind] += [str(len(found_p)), f"{min(found_p.values()):.2g}, {max(found_p.values()):.4f}"]
            print(*lines[kind], flush=True)
    if len(head) == 1:
        say("None was run: neither `--practrand` nor `--testu01` was given.\n")
        return bad
    say("""Words from 64 neighbours in turn, one from each, 2^16 from each in all; then from the next 64, up to 2^28
words (1 GiB) from 4096 streams. "One address" is a plain run of its words. SmallCrush, which is slower, takes the four
kinds that a training run uses most. Its p-values are part of the verdict, and so are PractRand's grades "FAIL" and
"VERY SUSPICIOUS"; "unusual" and "mildly suspicious" come by chance now and then.
""")
    table(head, list(lines.values()))
    return bad


# -- verdict -----------------------------------------------------------------------------------------------------------


def verdict(bad: list[str]) -> tuple[bool, str]:
    line = ALARM / len(results)
    failed = [f"{name}: p = {p:.2g}" for name, p in results if p < line] + bad
    p_values = sorted(results, key=lambda result: result[1])
    small = sum(p < 0.01 for _, p in results)
    by_chance = stats.poisson.interval(0.998, 0.01 * len(results))
    least = "; ".join(f"{name}: {p:.2g}" for name, p in p_values[:3])
    word = "FAIL" if failed else "PASS"
    return (
        not failed,
        f"""**{word}**: {len(results)} p-values; beyond the line: {"; ".join(failed) or "none"}.

The line is {line:.1e}: {ALARM:g} over their number (Bonferroni), so that a perfect stream fails the whole run once in
{1 / ALARM:.0f} times. All p-values are two-sided. {small} are below 0.01, where chance gives about
{0.01 * len(results):.0f} ({by_chance[0]:.0f} to {by_chance[1]:.0f}). The three least: {least}.""",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--practrand", help="PractRand's program RNG_test")
    parser.add_argument("--testu01", help="where TestU01 is installed (include/, lib/)")
    chosen = parser.parse_args()
    began = time.perf_counter()
    check_words()
    normals()
    others()
    neighbours()
    positions()
    keys()
    fewer_rounds()
    bad = batteries(chosen.practrand, chosen.testu01)
    passed, first = verdict(bad)
    print(first, flush=True)
    took = time.perf_counter() - began
    head = f"""# Is the stream random enough?

Stream version {VERSION}: Philox4x32-10 and Box-Muller, drawn with the fast kernels, torch {torch.__version__},
{platform.machine()}, in {took / 60:.0f} minutes. `run.py` writes all of this but the conclusions.

{first}
"""
    path = Path(__file__).parent / "results.md"
    old = path.read_text() if path.exists() else ""
    conclusions = "## Conclusions" + old.partition("## Conclusions")[2]
    path.write_text(head + "\n" + "\n".join(text) + "\n" + conclusions.rstrip() + "\n")
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
