"""Plans broken in one place each, made from the shipped ones with a fixed seed. Each knows the line that it broke.

python tests/plans/mutations.py        prints each with its errors, to be read by someone who decides if they help
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

SHIPPED = sorted((Path(__file__).parents[2] / "examples" / "plans").glob("*.yaml"))


class Broken(NamedTuple):
    """A malformed plan. line: where its first error belongs, None where no line is right; says: a part of it."""

    name: str
    data: bytes
    line: int | None
    says: str


class Line(NamedTuple):
    """One line of a plan to be broken: its number, counted from 1, and all lines."""

    number: int
    lines: list[str]

    @property
    def text(self) -> str:
        return self.lines[self.number - 1]

    def with_(self, text: str) -> str:
        return "\n".join([*self.lines[: self.number - 1], text, *self.lines[self.number :]]) + "\n"

    def sub(self, pattern: str, by: str) -> str:
        new = re.sub(pattern, by, self.text, count=1)
        assert new != self.text, (pattern, self.text)
        return self.with_(new)


def swapped(word: str, rng: random.Random) -> str:
    """A word with two neighbours exchanged, which differ."""
    places = [i for i in range(len(word) - 1) if word[i] != word[i + 1]]
    i = rng.choice(places)
    return word[:i] + word[i + 1] + word[i] + word[i + 2 :]


class Way(NamedTuple):
    """How to break a line that `fits`: to a text, the line of the error (None: the line itself), and a part of it."""

    fits: str
    change: Callable[[Line, random.Random], tuple[str, int, str]]


def here(pattern: str, by: str, says: str) -> Way:
    """A replacement whose error is in the same line."""
    return Way(pattern, lambda at, rng: (at.sub(pattern, by), at.number, says))


def _misspell(pattern: str, says: str) -> Way:
    def change(at: Line, rng: random.Random) -> tuple[str, int, str]:
        found = re.search(pattern, at.text)
        assert found
        wrong = swapped(found[1], rng)
        return at.with_(at.text[: found.start(1)] + wrong + at.text[found.end(1) :]), at.number, says.format(found[1])

    return Way(pattern, change)


def _drop(at: Line, rng: random.Random) -> tuple[str, int, str]:
    first = max(i for i in range(at.number) if at.lines[i].startswith("  - "))
    return "\n".join(at.lines[: at.number - 1] + at.lines[at.number :]) + "\n", first + 1, ".at: missing"


NUMBER = r"(strength: )[\d.]+"
NOISE = r"(- noise: )\{.*\}"
AT = r"^    at: (.*)$"

WAYS: dict[str, Way] = {
    "drop strength": here(r", strength: [\d.]+", "", ".noise.strength: missing, allowed: a number"),
    "drop kind": here(r"noise: \{kind: \w+, ", "noise: {", "'kind' is missing"),
    "drop at": Way(AT, _drop),
    "drop noise": here(r"- noise: .*", "- axis: 0", ".noise: missing, allowed: a noise"),
    "drop a schedule's field": here(r", (steps|eta): [\d.]+", "", "missing, allowed: a"),
    "misspell strength": _misspell(r"(strength)", "did you mean 'strength'?"),
    "misspell relative_to": _misspell(r"(relative_to)", "did you mean 'relative_to'?"),
    "misspell select": _misspell(r"(select)", "did you mean 'select'?"),
    "misspell noise": _misspell(r"(noise)", "did you mean 'noise'?"),
    "misspell at": _misspell(r"^    (at):", "no such field of an injection"),
    "misspell when": _misspell(r"^    (when):", "did you mean 'when'?"),
    "misspell injections": _misspell(r"^(injections):", "did you mean 'injections'?"),
    "misspell a noise": _misspell(r"noise: \{kind: (\w+)", "did you mean '{}'"),
    "misspell a site": _misspell(r"at: (\w+)", "did you mean '{}'"),
    "misspell a schedule": _misspell(r"when: \{kind: (\w+)", "did you mean '{}'"),
    "misspell rms": here(r"relative_to: rms", "relative_to: rsm", "did you mean 'rms'?"),
    "misspell type": here(r"\{type: ReLU\}", "{typ: ReLU}", "did you mean 'type'?"),
    "a class's name": here(r"kind: gaussian", "kind: Gaussian", "did you mean 'gaussian'?"),
    "a Python type": here(r"\{type: ReLU\}", "{type: nn.ReLU}", "allowed: a class's name without dots"),
    "text for a number": here(NUMBER, r"\1a lot", "is 'a lot', allowed: a number"),
    "a number in quotes": here(r"strength: ([\d.]+)", r'strength: "\1"', "', allowed: a number without quotes"),
    "a bool for a number": here(NUMBER, r"\1true", "is true, allowed: a number"),
    "a list for a number": here(NUMBER, r"\1[0.1]", "is a list, allowed: a number"),
    "nothing for a number": here(NUMBER, r"\1", "is empty, allowed: a number"),
    "an infinite number": here(NUMBER, r"\1.inf", "is '.inf', allowed: a number"),
    "not a number": here(NUMBER, r"\1.nan", "is '.nan', allowed: a number"),
    "a number beyond floats": here(NUMBER, r"\g<1>1e999", "is '1e999', allowed: a number"),
    "a negative strength": here(r"strength: ([\d.]+)", r"strength: -\1", ".noise.strength is -"),
    "a probability of 20": here(
        r"kind: (bernoulli|salt_and_pepper), strength: [\d.]+", r"kind: \1, strength: 20", "is 20"
    ),
    "a fraction of steps": here(r"steps: \d+", "steps: 0.5", "is 0.5, allowed: a whole number"),
    "a bool for steps": here(r"steps: \d+", "steps: true", "is true, allowed: a whole number"),
    "no steps": here(r"steps: \d+", "steps: 0", "is 0, allowed: a whole number from 1"),
    "pepper above salt": here(r"low: 0", "low: 2", "low"),
    "an unknown combine": here(NUMBER, r"\g<0>, combine: plus", "allowed: 'add'"),
    "a noise alone": here(NOISE, r"\1gaussian", "needs strength; write {kind: gaussian, strength: ...}"),
    "a noise that takes a function": here(NOISE, r"\1{kind: custom, strength: 1}", "takes a function"),
    "a site for a noise": here(NOISE, r"\1inputs", "is 'inputs', which is a site, allowed: a noise"),
    "a noise for a site": here(AT, "    at: gaussian", "is 'gaussian', which is a noise, allowed: a site"),
    "a number for a site": here(AT, "    at: 3", ".at is 3, allowed: a site such as inputs"),
    "a list for a mapping": here(r"(- noise: )\{(.*?)[,}].*$", r"\1[gaussian]", ".noise is a list, allowed: a noise"),
    "a mapping for a list": Way(
        r"^injections:",
        lambda at, rng: (
            at.with_("injections: {noise: gaussian}").split("  - ")[0],
            at.number,
            "is a mapping, allowed: a list",
        ),
    ),
    "a site that the noise cannot enter": here(AT, "    at: tokens", ".at: Tokens: "),
    "no module chosen": here(AT, "    at: activations", ".at.select: no module chosen"),
    "a bad glob": here(AT, '    at: {kind: weights, select: "[z-a]"}', "no glob: bad character range"),
    "a bad regular expression": here(AT, '    at: {kind: weights, select: {regex: "("}}', "no regular expression"),
    "a list for a selector": here(AT, "    at: {kind: weights, exclude: [[a]]}", "allowed: a glob such as"),
    "a module's number": here(
        AT, "    at: {kind: weights, exclude: 3}", "allowed: a name, which needs quotes where it"
    ),
    "an argument's number": here(AT, "    at: {kind: inputs, names: 0}", "is 0, allowed: text in quotes"),
    "dims of text": here(AT, r"\g<0>\n    dims: [first]", ""),
    "an unknown field": here(AT, r"    probability: 0.5\n\g<0>", ".probability: no such field of an injection"),
    "given twice": Way(
        AT, lambda at, rng: (at.with_(f"{at.text}\n{at.text}"), at.number + 1, f"first in line {at.number}")
    ),
    "a space too many": here(r"^    at:", "     at:", "begins in another column"),
    "a space too few": here(r"^    at:", "   at:", "begins in another column"),
    "a tab": here(r"^    at:", "\tat:", "a tab; YAML takes spaces"),
    "no ':'": here(r"noise: ", "noise ", "a ':' where none can be"),
    "no space after ':'": here(r"noise: ", "noise:", "a ':' without a space after it"),
    "no space after '-'": here(r"- noise", "-noise", "a '-' without a space after it"),
    "a brace never closed": here(r"\}$", "", "not closed"),
    "a bracket never closed": here(r"\}\]", "}", "not closed"),
    "a quote never closed": here(r"kind: (\w+)", r"kind: '\1", "never closed"),
    "an alias": here(AT, "    at: *inputs", "needs quotes"),
    "a glob without quotes": here(AT, "    at: {kind: weights, select: **.weight}", "put it in quotes"),
    "an anchor": here(r"noise: \{", "noise: &n {", "a plan has no anchors"),
    "code": here(NOISE, "- noise: !!python/object/apply:os.system [ls]", "a plan has no tags"),
    "a merge": here(AT, r"\g<0>\n    <<: {axis: 0}", ""),
    "a key that is a list": here(r"^    at:", "    [at]:", "a key is a list, allowed: a word"),
    "a second plan": here(AT, r"\g<0>\n---\ninjections: []", ""),
    "a seed of text": here(r"^injections:", "seed: one\ninjections:", "seed is 'one', allowed: a whole number from 0"),
    "a negative seed": here(r"^injections:", "seed: -1\ninjections:", "seed is -1, allowed: a whole number from 0"),
    "an unknown key": here(r"^injections:", "name: mine\ninjections:", "name: no such field of a plan"),
}
# those whose error is in the line after the one that was changed
NEXT = ("dims of text", "a merge", "a second plan")


def broken_plans(seed: int = 0) -> Iterator[Broken]:
    """Every way, at a line of some shipped plan that it fits, and at a second one where there is one."""
    rng = random.Random(seed)
    for name, way in WAYS.items():
        places = [
            Line(i + 1, lines)
            for path in SHIPPED
            for lines in [path.read_text().splitlines()]
            for i, line in enumerate(lines)
            if not line.startswith("#") and re.search(way.fits, line)
        ]
        # a seed cannot be given twice in one place
        places = [p for p in places if not ("seed" in name and any(line.startswith("seed") for line in p.lines))]
        assert places, name
        for at in rng.sample(places, min(2, len(places))):
            text, line, says = way.change(at, rng)
            yield Broken(name, text.encode(), line + (name in NEXT), says)
    yield from whole_files(SHIPPED[0].read_bytes())


def whole_files(good: bytes) -> Iterator[Broken]:
    """Files that are wrong as a whole, or in a byte."""
    yield Broken("empty", b"", None, "empty, allowed: a plan")
    yield Broken("comments alone", b"# nothing\n", None, "empty, allowed: a plan")
    yield Broken("a list", b"- noise: gaussian\n", 1, "a list, allowed: a plan, which begins with 'injections:'")
    yield Broken("a word", b"gaussian\n", 1, "allowed: a plan, which begins with 'injections:'")
    yield Broken("no injections", b"seed: 1\n", 1, "injections: missing")
    yield Broken("injections of nothing", b"injections:\n", 1, "injections is empty, allowed: a list")
    yield Broken("binary", good[:-1] + b"\x00\n", good.count(b"\n"), "is this file binary?")
    yield Broken("another encoding", good[:-1] + b" # \xe9\n", good.count(b"\n"), "byte 0xe9 is not UTF-8")
    yield Broken("UTF-16", good.decode().encode("utf-16"), 1, "is not UTF-8")
    yield Broken("deep", b"injections: " + b"[" * 5000, 1, "nested more than 32 deep")
    yield Broken("many laughs", b"a: &a [1]\nb: [*a, *a]\n", 1, "a plan has no anchors")
    yield Broken("large", good + b"#" * 300_000, None, "longer than 256 KiB")
    yield Broken("many errors", b"injections:\n" + b"  - noise: gausian\n" * 20, 2, "did you mean 'gaussian'")


if __name__ == "__main__":
    from torchnoise import Plan, PlanError

    for one in broken_plans():
        try:
            Plan.from_yaml(one.data.decode(errors="replace"), "plan.yaml")
        except PlanError as error:
            print(f"-- {one.name}\n{error}")
