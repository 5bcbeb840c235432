"""Wrong plan files: one line for each problem, with file, line, place and what is allowed; never a traceback."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mutations import SHIPPED, Broken, broken_plans

import torchnoise as tn
from torchnoise.cli import main
from torchnoise.plans.kinds import kinds
from torchnoise.plans.models import MEANT

BROKEN = list(broken_plans())


def test_there_are_enough_of_them() -> None:
    assert len(BROKEN) >= 50
    assert len({b.data for b in BROKEN}) == len(BROKEN)
    assert len({b.name for b in BROKEN}) >= 50
    assert list(broken_plans()) == BROKEN  # a fixed seed


@pytest.mark.parametrize("broken", [pytest.param(b, id=f"{b.name}-{i}") for i, b in enumerate(BROKEN)])
def test_each_gives_lines_that_help(broken: Broken, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """By Plan.load and by the command: one line an error, the first with the line that was broken.

    Broken on purpose: Node's line taken from the value in place of its key ("a list for a mapping" and others red);
    `meant` left empty in explain.py, so that one misspelled key gives two errors; the anchors' check taken out.
    """
    path = tmp_path / "plan.yaml"
    path.write_bytes(broken.data)
    with pytest.raises(tn.PlanError) as raised:
        tn.Plan.load(path)
    lines = str(raised.value).splitlines()
    place = f"{path}:" if broken.line is None else f"{path}:{broken.line}: "
    assert lines[0].startswith(place)
    assert broken.says in lines[0]
    assert len(lines) <= 11
    assert all(line.startswith(f"{path}:") and len(line) < 400 for line in lines)
    if broken.name != "many errors":
        assert len(lines) == 1
    assert main(["sites", "mlp", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [f"torchnoise: {line}" for line in lines]


def test_several_errors_are_all_told_in_the_file_s_order() -> None:
    text = """
injections:
  - noise: {kind: gaussian, strength: high}
    at: inputs
    dims: [a, b]
  - noise: {kind: uniform, strength: -1}
    at: {kind: weights, selekt: "a", min_ndim: two}
    when: {kind: linear, start: 1}
"""
    with pytest.raises(tn.PlanError) as raised:
        tn.Plan.from_yaml(text, "plan.yaml")
    assert [line.partition(": ")[0] for line in str(raised.value).splitlines()] == [
        f"plan.yaml:{n}" for n in (3, 5, 5, 6, 7, 7, 8, 8)
    ]
    assert [p.line for p in raised.value.problems] == [3, 5, 5, 6, 7, 7, 8, 8]


@pytest.mark.parametrize(
    ("name", "says"),
    [("missing.yaml", "No such file or directory"), (".", "a folder, allowed: a YAML file"), ("a\0b", "null byte")],
)
def test_what_is_no_file(name: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(tn.PlanError, match=says) as raised:
        tn.Plan.load(name)
    assert len(str(raised.value).splitlines()) == 1


def test_text_that_is_no_text() -> None:
    with pytest.raises(TypeError, match="is bytes, allowed: str"):
        tn.Plan.from_yaml(b"injections: []")  # type: ignore[arg-type]


TEXTS = [path.read_text() for path in SHIPPED]


@given(st.text() | st.text(alphabet="-[]{}:,#&*!|>'\"% \n\tab1.~?<"))
@example('a: "\\UFFFFFFFF"')
@example("a: \x85\u2028")
@example("? ? ? ?")
@example("!<")
@example("'" * 9999)
@settings(max_examples=150, deadline=None)
def test_no_text_gives_another_error(text: str) -> None:
    """Whatever the text, PlanError or a plan: and each problem is one line."""
    check_text(text)


@given(st.sampled_from(TEXTS), st.data())
@settings(max_examples=150, deadline=None)
def test_no_damage_gives_another_error(text: str, data: st.DataObject) -> None:
    """The same for shipped plans with a piece cut out, and another text in its place."""
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 12)))
    new = data.draw(st.text(alphabet="-[]{}:,&*!'\" \n\ta1.~e+_x", max_size=6))
    check_text(text[:start] + new + text[end:])


def check_text(text: str) -> None:
    error = error_of(text)
    if error is None:
        return
    lines = str(error).split("\n")
    assert 1 <= len(lines) <= 11
    assert all(line.startswith("plan.yaml:") for line in lines)
    assert all(p.line is None or 1 <= p.line <= len(text.splitlines()) + 1 for p in error.problems)


def error_of(text: str) -> tn.PlanError | None:
    try:
        tn.Plan.from_yaml(text, "plan.yaml")
    except tn.PlanError as error:
        return error
    return None


def test_a_file_imports_and_runs_nothing(tmp_path: Path) -> None:
    """Names in a file stay names. Broken on purpose: TypeName made to import its name."""
    path = tmp_path / "plan.yaml"
    path.write_text(
        "injections: [{noise: {kind: gaussian, strength: 1}, at: {kind: weights, select: {type: antigravity}}}]"
    )
    assert len(tn.Plan.load(path)) == 1
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    ("field", "word", "said"),
    [
        ("noise", "normal", "no such noise; did you mean 'gaussian'?"),
        ("noise", "GaussianNoise", "no such noise; did you mean 'gaussian'?"),
        ("noise", "dropout", "no such noise; did you mean 'bernoulli'?"),
        ("noise", "pink", "no such noise; did you mean 'colored'?"),
        ("noise", "shot", "no such noise; did you mean 'poisson'?"),
        ("noise", "impulse", "no such noise; did you mean 'salt_and_pepper'?"),
        ("noise", "unifrom", "no such noise; did you mean 'uniform'?"),
        (
            "when",
            "step",
            "no such schedule, allowed: constant, cosine, exponential, join, linear, power_decay, warm_up",
        ),
        ("relative_to", "percent", "no such magnitude, allowed: "),
    ],
)
def test_words_that_people_know_kinds_by(field: str, word: str, said: str) -> None:
    """What is meant, or all that is allowed; never a name that merely has some of the same letters.

    Broken on purpose: difflib's cutoff at 0.4 (percent gave 'learned').
    """
    fields = {"noise": "{kind: gaussian, strength: 1}", "at": "inputs"}
    if field == "relative_to":
        fields["noise"] = f"{{kind: gaussian, strength: 1, relative_to: {word}}}"
    else:
        fields[field] = f"{{kind: {word}, strength: 1}}"
    text = "injections:\n  - " + "\n    ".join(f"{name}: {value}" for name, value in fields.items()) + "\n"
    with pytest.raises(tn.PlanError) as raised:
        tn.Plan.from_yaml(text)
    assert said in str(raised.value)
    assert len(raised.value.lines) == 1


def test_every_such_word_leads_to_a_kind() -> None:
    """And none hides a kind of that name."""
    for role, words in MEANT.items():
        assert set(words.values()) <= set(kinds()[role])
        assert not set(words) & set(kinds()[role])
