"""Plan files as candidates: a factor on all of the plan."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from cases import KINDS, Kind
from made_up_worlds import mlp, table

import torchnoise as tn
from torchnoise.lab.noises import CANDIDATES, find, find_all, from_file, ladder, suits

PLANS = sorted(Path(__file__).parents[3].glob("examples/plans/*.yaml"))


@pytest.mark.parametrize("path", PLANS, ids=lambda p: p.stem)
def test_a_shipped_plan_is_a_candidate(path: Path) -> None:
    candidate = from_file(path)
    plan = tn.Plan.load(path)
    assert candidate.name == path.name
    assert candidate.treat(1.0).plan == plan
    assert ladder(candidate) == (0.25, 0.5, 1.0, 2.0, 4.0)
    doubled = candidate.treat(2.0).plan
    assert doubled is not None
    for one, two in zip(plan, doubled, strict=True):
        assert two.noise.strength == pytest.approx(2 * one.noise.strength, rel=1e-3)
        assert (two.at, two.when) == (one.at, one.when)
    assert "strength: " in doubled.to_yaml()
    assert pickle.loads(pickle.dumps(candidate)).treat(0.25).plan == candidate.treat(0.25).plan


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.name)
def test_every_kind_can_be_scaled_up_to_its_limit(kind: Kind, tmp_path: Path) -> None:
    """No rung is refused by the noise. Broken on purpose: limit left out."""
    at = tn.Tokens() if kind.whole_numbers else tn.Inputs()
    tn.Plan(tn.Injection(kind.noise, at=at)).save(tmp_path / "plan.yaml")
    candidate = from_file(tmp_path / "plan.yaml")
    rungs = ladder(candidate)
    assert len(rungs) == 5
    assert 1.0 in rungs or candidate.limit is not None
    for factor in rungs:
        plan = candidate.treat(factor).plan
        assert plan is not None
        assert plan.injections[0].noise.strength == pytest.approx(factor * kind.noise.strength, rel=1e-3)


def test_what_is_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tn.Plan(tn.Injection(tn.Gaussian(0.1), at=tn.Inputs())).save("mine.yaml")
    found = find_all("weight, mine.yaml,")
    assert [c.name for c in found] == ["weight", "mine.yaml"]
    assert found[0] is CANDIDATES["weight"]
    assert suits(found[1], table(), mlp()) is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("wieght", r"^--noises: no noise is called 'wieght'; did you mean 'weight'"),
        ("gone.yaml", r"^--noises gone\.yaml: No such file or directory$"),
        ("bad.yaml", r"^--noises bad\.yaml:1: .*allowed"),
        ("none.yaml", r"^--noises none\.yaml: no injections, allowed: a plan with at least one$"),
        ("weight,dropout,weight", r"^--noises names weight twice, allowed: each at most once$"),
        (",", r"^--noises is empty, allowed: gaussian_input, "),
    ],
)
def test_what_is_typed_wrongly(text: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.yaml").write_text("injections: 3\n")
    Path("none.yaml").write_text("injections: []\n")
    with pytest.raises(ValueError, match=line):
        find_all(text)


def test_plans_of_one_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("a", "b"):
        Path(folder).mkdir()
        tn.Plan(tn.Injection(tn.Gaussian(0.1), at=tn.Inputs())).save(f"{folder}/plan.yaml")
    with pytest.raises(ValueError, match=r"^--noises names plan\.yaml twice"):
        find_all("a/plan.yaml,b/plan.yaml")
    assert find("a/plan.yaml").treat(1.0).plan == find("b/plan.yaml").treat(1.0).plan
