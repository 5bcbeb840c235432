"""One run: paired, and exactly clean at strength 0."""

import pickle

import numpy as np
import pytest
import torch

import torchnoise as tn
from torchnoise.lab import noises
from torchnoise.lab.data import SealedTest, load_digits, split
from torchnoise.lab.models import mlp
from torchnoise.lab.noises import CANDIDATES, CLEAN, Candidate
from torchnoise.lab.run import train
from torchnoise.lab.settings import Run, Settings, Training, key_of, seeds_of

SETTINGS = Settings(seeds=2, training=Training(epochs=1))


@pytest.fixture(scope="module")
def data():
    return split(load_digits(), 0)[0]


@pytest.fixture(scope="module")
def clean(data):
    return train(Run(CLEAN, 0.0, 1), data, SETTINGS)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize("name", CANDIDATES)
def test_strength_0_is_the_clean_run(name, data, clean):
    model, outcome = train(Run(name, 0.0, 1), data, SETTINGS)
    assert torch.equal(weights(model), weights(clean[0]))
    assert outcome.validation_accuracy == clean[1].validation_accuracy
    assert outcome.train_loss == clean[1].train_loss


@pytest.mark.parametrize("name", CANDIDATES)
def test_every_noise_does_something(name, data, clean):
    model, outcome = train(Run(name, CANDIDATES[name].ladder[0], 1), data, SETTINGS)
    assert not torch.equal(weights(model), weights(clean[0]))
    assert outcome.diverged is None


@pytest.mark.parametrize("name", CANDIDATES)
def test_the_lines_to_copy_are_the_plan(name):
    candidate = CANDIDATES[name]
    place: dict = {}
    exec("\n".join(candidate.source(candidate.ladder[1])[:2]), place)
    assert place["plan"] == candidate.plan(candidate.ladder[1])
    model = mlp(0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    place |= {"model": model, "optimizer": optimizer, "train": lambda *_: None}
    exec("\n".join(candidate.source(candidate.ladder[1])), place)


def test_ladders_rise():
    assert all(list(c.ladder) == sorted(set(c.ladder)) and c.ladder[0] > 0 for c in CANDIDATES.values())


def test_a_diverged_run_is_recorded(data, monkeypatch):
    wild = Candidate("wild", "", "sigma", (1.0,), lambda s: tn.Injection(tn.Gaussian(1e38), at=tn.Gradients()), "")
    monkeypatch.setitem(noises.CANDIDATES, "wild", wild)
    _, outcome = train(Run("wild", 1.0, 0), data, SETTINGS)
    assert "step" in outcome.diverged
    assert 0.0 <= outcome.validation_accuracy <= 1.0


def test_split_is_stratified_disjoint_and_follows_the_seed():
    everything = load_digits()
    data, sealed = split(everything, 0)
    test = sealed.open()
    parts = [data.train, data.validation, test]
    assert sum(len(p.y) for p in parts) == len(everything.y) == 1797
    rows = np.sort(np.concatenate([p.x for p in parts]).view("V256"), axis=0)
    assert np.array_equal(rows, np.sort(everything.x.view("V256"), axis=0))
    for part in parts:
        shares = np.bincount(part.y) / len(part.y) - np.bincount(everything.y) / len(everything.y)
        assert np.abs(shares).max() < 0.01
    assert np.array_equal(split(everything, 0)[0].train.x, data.train.x)
    assert not np.array_equal(split(everything, 1)[0].train.x, data.train.x)
    assert everything.x.min() == 0.0
    assert everything.x.max() == 1.0


def test_the_test_set_opens_once_and_stays_here():
    sealed: SealedTest = split(load_digits(), 0)[1]
    with pytest.raises(TypeError, match="stays in its process"):
        pickle.dumps(sealed)
    sealed.open()
    with pytest.raises(RuntimeError, match="opened already"):
        sealed.open()


def test_keys_tell_runs_apart_but_not_how_many_there_are():
    run = Run("weight", 0.1, 0)
    key = key_of(run, SETTINGS, "d")
    assert key == key_of(run, Settings(noises=("weight",), seeds=9, training=Training(epochs=1)), "d")
    others = [
        key_of(run._replace(seed=1), SETTINGS, "d"),
        key_of(run._replace(strength=0.2), SETTINGS, "d"),
        key_of(run, SETTINGS, "e"),
        key_of(run, Settings(seeds=2, seed=1, training=Training(epochs=1)), "d"),
        key_of(run, Settings(seeds=2, training=Training(epochs=2)), "d"),
    ]
    assert len({key, *others}) == 6


def test_seeds_of_neighbours_differ():
    seeds = [word for number in range(50) for word in seeds_of(0, number)]
    assert len(set(seeds)) == len(seeds)
