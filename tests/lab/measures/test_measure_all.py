"""Everything of one network, and of several put together by seed; networks whose outputs are not finite."""

import copy
import json
import math
import pickle

import numpy as np
import pytest
import torch
from lab.measures.toys import Bag, Toy, images, mlp, table, texts, trained
from torch import nn

import torchnoise as tn
from torchnoise.lab.data import Part
from torchnoise.lab.measures import CORRUPTIONS, Measured, figures, measure
from torchnoise.lab.measures.outputs import Limits, limits, outputs_of
from torchnoise.lab.results import Figures

KINDS = {
    "table": (table, lambda: mlp(5, 3)),
    "number": (lambda: table(classes=None), lambda: mlp(5, 1)),
    "image": (images, lambda: mlp(80, 2)),
    "text": (texts, lambda: Toy(Bag)),
}


def world(kind):
    make, model = KINDS[kind]
    data, test = make()
    return data, test, model()


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_network_gives_the_same_numbers_and_stays_as_it_is(kind):
    data, test, model = world(kind)
    net = trained(model, data).train()
    before, random = copy.deepcopy(net.state_dict()), torch.random.get_rng_state()
    first = measure(net, model, data, test, seed=2)
    torch.rand(7)
    torch.random.set_rng_state(random)
    assert first.model_dump_json() == measure(net, model, data, test, seed=2).model_dump_json()
    assert torch.equal(random, torch.random.get_rng_state())
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert all(p.grad is None or not p.grad.any() for p in net.parameters())
    assert all(m.training for m in net.modules())


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_measured(kind):
    data, test, model = world(kind)
    net = trained(model, data)
    found = measure(net, model, data, test, seed=0)
    with torch.no_grad():
        outputs, train = net(test.x), net(data.train.x)
    assert found.scores.dtype == np.float32
    np.testing.assert_allclose(found.scores, data.task.scores(outputs, test.y).float())
    assert found.score == pytest.approx(float(found.scores.mean(dtype=np.float64)), abs=1e-6)
    assert found.train_score == pytest.approx(float(data.task.scores(train, data.train.y).mean()))
    assert found.nll is not None
    assert (found.bins is None) == (kind == "number")
    assert list(found.corruptions) == [one.name for one in CORRUPTIONS[data.kind]]
    assert all(line.x == [1, 2, 3, 4, 5] for line in found.corruptions.values())
    assert found.fgsm.y[0] == pytest.approx(found.score)
    assert found.fgsm.y[-1] < found.fgsm.y[0]
    assert found.sharpness.y[0] == pytest.approx(float(data.task.loss(train, data.train.y)), rel=1e-5)
    assert found.sharpness.y[-1] > found.sharpness.y[0]


@pytest.mark.parametrize("kind", KINDS)
def test_json_and_pickle_keep_every_digit(kind):
    data, test, model = world(kind)
    found = measure(trained(model, data), model, data, test, seed=0)
    row = json.loads(json.dumps(found.model_dump(mode="json"), allow_nan=False))
    for again in (Measured.model_validate(row), pickle.loads(pickle.dumps(found))):
        assert again.model_dump_json() == found.model_dump_json()
        assert again.scores.dtype == np.float32
        assert np.array_equal(again.scores, found.scores)


def test_the_score_alone():
    data, test, model = world("table")
    net = trained(model, data)
    whole = measure(net, model, data, test, seed=0)
    found = Measured.of_scores(data.task.scores(outputs_of(net, model, test.x), test.y), data.kind)
    assert np.array_equal(found.scores, whole.scores)
    assert found.score == whole.score
    assert found.nll is found.fgsm is found.sharpness is found.bins is None
    assert found.corruptions == {}


def test_texts_are_encoded_where_they_are_not_yet():
    data, test, model = world("text")
    net = trained(model, data)
    bare = Part(torch.empty(len(test), 0), test.y, test.texts)
    assert measure(net, model, data, bare, 0).model_dump_json() == measure(net, model, data, test, 0).model_dump_json()


@pytest.mark.parametrize("kind", KINDS)
def test_figures_are_by_seed_in_order(kind):
    data, test, model = world(kind)
    measured = [measure(trained(model, data, seed=s), model, data, test, seed=s) for s in range(3)]
    found = figures(measured)
    assert found.nll == [one.nll for one in measured]
    assert found.gap == [one.train_score - one.score for one in measured]
    assert found.fgsm.y == [one.fgsm.y for one in measured]
    assert found.sharpness.y == [one.sharpness.y for one in measured]
    for row in found.corruptions:
        assert row.scores.y == [one.corruptions[row.name].y for one in measured]
        assert row.said in [c.said for c in CORRUPTIONS[data.kind]]
    assert Figures.model_validate_json(found.model_dump_json()) == found
    if kind == "number":
        assert found.calibration_error is found.reliability is None
        return
    assert found.calibration_error == [one.bins.error() for one in measured]
    counts = np.sum([one.bins.count for one in measured], axis=0)
    np.testing.assert_allclose(found.reliability.share, counts[counts > 0] / counts.sum())
    right = np.dot(found.reliability.accuracy, found.reliability.share)
    assert right == pytest.approx(np.mean([one.score for one in measured]), abs=1e-6)


def broken(model, bad):
    net = model.build(0)
    with torch.no_grad():
        list(net.parameters())[-1].fill_(bad)
    return net


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_classes_that_are_not_finite_are_wrong_and_sure(bad):
    data, test, model = world("table")
    found = measure(broken(model, bad), model, data, test, seed=0)
    assert found.score == found.train_score == 0.0
    assert found.nll == pytest.approx(52 * math.log(2))
    assert found.bins.error() == 1.0
    assert found.sharpness.y == [None] * 6
    assert figures([found]).fgsm.y == [[0.0] * 6]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_have_no_figures(bad):
    data, test, model = world("number")
    found = measure(broken(model, bad), model, data, test, seed=0)
    assert found.score is found.nll is None
    assert all(line.y == [None] * 5 for line in found.corruptions.values())
    assert figures([found]) is None
    assert figures([measure(trained(model, data), model, data, test, seed=0), found]) is None
    null = json.loads(json.dumps(found.model_dump(mode="json")).replace("NaN", "null").replace("-Infinity", "null"))
    assert not np.isfinite(Measured.model_validate(null).scores).any()


def test_none_measured_no_figures():
    assert figures([]) is None


def test_an_attached_network_is_refused_in_a_line():
    data, test, model = world("table")
    net = trained(model, data)
    with (
        tn.attach(net, tn.Injection(tn.Gaussian(0.1), at=tn.Inputs())),
        pytest.raises(RuntimeError, match="has noise attached already"),
    ):
        measure(net, model, data, test, seed=0)


def test_limits_by_parameters():
    assert limits(nn.Linear(10, 10)) == Limits(1000, 10000, 1024, 4)
    assert limits(nn.Linear(10, 10), tokens=True) == Limits(500, 5000, 128, 4)
    assert limits(nn.Linear(2500, 2001, device="meta")) == Limits(100, 300, 64, 2)


def test_texts_run_from_the_shortest_on_and_come_back_in_their_order():
    data, _, model = world("text")
    seen = []

    class Watched(Toy):
        def outputs(self, model, x):
            seen.extend((x != 0).sum(1).tolist())
            return model(x)

    net = model.build(0).eval()
    found = outputs_of(net, Watched(Bag), data.train.x)
    assert seen == sorted(seen)
    assert seen != (data.train.x != 0).sum(1).tolist()
    torch.testing.assert_close(found, net(data.train.x).detach())


def test_outputs_do_not_depend_on_chunks(monkeypatch):
    data, _, model = world("table")
    net = model.build(0)
    whole = outputs_of(net, model, data.train.x)
    monkeypatch.setattr("torchnoise.lab.measures.outputs.limits", lambda net, tokens: Limits(0, 0, 7, 1))
    torch.testing.assert_close(outputs_of(net, model, data.train.x), whole)


def test_a_whole_measure_is_some_fifty_forwards():
    """Of the test scores 1, training and validation 2, corruptions 25, FGSM 7, sharpness 21."""
    data, test, model = world("image")
    net, calls = model.build(0), []
    net.register_forward_hook(lambda *_: calls.append(1))
    measure(net, model, data, test, seed=0)
    assert len(calls) == 56
