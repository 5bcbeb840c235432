"""The command: one clear line for what was asked wrongly."""

import sys

import pytest

import torchnoise
from torchnoise.cli import main


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--noises", "gausian_input"], "did you mean 'gaussian_input'"),
        (["--noises", ","], "--noises is empty"),
        (["--noises", "dropout,dropout"], "twice"),
        (["--strengths", "dropout"], "--strengths dropout, allowed: NAME=A,B,C"),
        (["--strengths", "dropout=0.1,high"], "allowed: NAME=A,B,C"),
        (["--noises", "weight", "--strengths", "dropout=0.1"], "--strengths names 'dropout'"),
        (["--budget", "soon"], "--budget soon, allowed: a time"),
        (["--device", "abacus"], "--device abacus"),
        (["--engine", "spark"], "--engine spark, allowed: local, ray"),
        (["--against", "nothing.json"], "nothing.json"),
        (["--rounds", "2,some"], "--rounds 2,some, allowed: whole numbers"),
        (["--rounds", "2,0"], "--rounds 2,0, allowed: whole numbers from 1"),
        (["--rungs", "0"], "--rungs is 0"),
        (["--rise", "0"], "--rise is 0"),
        (["--lr", "-1"], "--lr is -1"),
        (["--limit", "3"], "--limit is 3"),
        (["--data", "nothing.csv", "--target", "y"], "nothing.csv"),
        (["--data", "digits", "--target", "y"], "--target"),
        (["--model", "resnt"], "--model"),
        (["--seeds", "1"], "allowed: a whole number from 2"),
        (["--seeds", "many"], "--seeds"),
        (["--epochs", "0"], "--epochs is 0"),
        (["--seed", "-1"], "--seed is -1"),
        (["--jobs", "0"], "--jobs is 0"),
        (["--sedes", "3"], "--sedes"),
    ],
)
def test_bad_flags_are_one_line_and_2(flags, says, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["compare", *flags]) == 2
    out, err = capsys.readouterr()
    assert says in err
    assert len(err.splitlines()) == 1
    assert out == ""
    assert list(tmp_path.iterdir()) == []


def test_an_out_that_is_a_file(capsys, tmp_path):
    (tmp_path / "taken").write_text("")
    assert main(["compare", "--out", str(tmp_path / "taken"), "--quiet"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_version_and_help(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"torchnoise {torchnoise.__version__}\n"
    assert main(["--help"]) == 0
    assert main(["compare", "--help"]) == 0
    assert "torchnoise compare --data people.csv" in capsys.readouterr().out


@pytest.mark.parametrize("missing", ["typer", "sklearn", "matplotlib"])
def test_a_missing_extra_is_one_line(missing, monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delitem(sys.modules, "torchnoise.cli.app", raising=False)
    if missing != "typer":
        monkeypatch.setattr("torchnoise.cli.compare.find_spec", lambda name: None if name == missing else True)
    assert main(["compare", "--out", str(tmp_path), "--quiet"]) == 1
    err = capsys.readouterr().err
    assert 'pip install "torchnoise[lab]"' in err
    assert len(err.splitlines()) == 1
