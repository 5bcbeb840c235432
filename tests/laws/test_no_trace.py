"""Law 2: attaching changes nothing that anyone else can see, and leaves nothing behind."""

from __future__ import annotations

import copy
import io
import pickle
import subprocess
import sys

import pytest
import torch
from cases import PAIRS, Kind, Net, Place, attach_to, data, net, pair_name, same
from torch import nn

import torchnoise as tn

pairs = pytest.mark.parametrize(("kind", "place"), [(k, p) for k, p in PAIRS if not k.whole_numbers], ids=pair_name)
multiply = tn.Plan(
    tn.Injection(tn.Gaussian(0.3), at=tn.Inputs()),
    tn.Injection(tn.Gaussian(0.3, combine="multiply"), at=tn.Activations("**")),
    tn.Injection(tn.Gaussian(0.3, relative_to="rms"), at=tn.Weights(min_ndim=1)),
)


def visible(model: nn.Module) -> tuple:
    """All that others read of a model: names, order, values, types, and each module's own attributes."""
    return (
        [(k, v.clone()) for k, v in model.state_dict().items()],
        [(n, id(p)) for n, p in model.named_parameters()],
        [(n, id(b)) for n, b in model.named_buffers()],
        [(n, type(m)) for n, m in model.named_modules()],
    )


def own(model: nn.Module) -> list:
    """Every attribute of every module, and the hooks on it."""
    return [(n, sorted(m.__dict__), len(m._forward_hooks), len(m._forward_pre_hooks)) for n, m in model.named_modules()]


def equal(a: tuple, b: tuple) -> bool:
    """Whether two such views are the same, values bit by bit."""
    values = len(a[0]) == len(b[0]) and all(n == m and same(v, w) for (n, v), (m, w) in zip(a[0], b[0], strict=True))
    return values and a[1:] == b[1:]


@pairs
def test_the_model_looks_the_same_while_attached_and_is_the_same_after(kind: Kind, place: Place) -> None:
    """state_dict, parameters, types and eval outputs while attached; every attribute after detach.

    Broken on purpose: `Patch.remove` that leaves __getstate__ in place.
    """
    model = net()
    before, attributes = visible(model), own(model)
    clean = model.eval()(data())
    model.train()
    plain = net()(data())
    noise, _ = attach_to(model, kind.noise, place.site)
    assert equal(visible(model), before)
    model(data())
    assert equal(visible(model), before)
    assert same(model.eval()(data()), clean)
    model.train()
    noise.detach()
    assert equal(visible(model), before)
    assert own(model) == attributes
    assert same(model(data()), plain)


def test_detach_after_an_exception() -> None:
    """Also an exception inside a forward, while weights are replaced."""

    class Fails(Net):
        def run_block(self, h: torch.Tensor) -> torch.Tensor:
            raise ZeroDivisionError

    model = Fails()
    before, attributes = visible(model), own(model)
    with pytest.raises(ZeroDivisionError), tn.attach(model, multiply):
        model(data())
    assert equal(visible(model), before)
    assert own(model) == attributes


def test_a_failed_attach_leaves_nothing() -> None:
    model = net()
    attributes = own(model)
    with pytest.raises(LookupError):
        tn.attach(model, multiply + tn.Plan(tn.Injection(tn.Gaussian(1.0), at=tn.Weights("nothing"))))
    assert own(model) == attributes
    assert not model.__dict__.get("forward")


@pytest.mark.parametrize("how", ["deepcopy", "copy", "pickle", "torch.save"])
def test_copies_are_clean(how: str) -> None:
    """A copy of an attached model has no noise, no trace, and its own parameters; the original keeps its noise.

    Broken on purpose: a Patch without __getstate__.
    """
    model, x = net(), data()
    plain = net()
    with tn.attach(model, multiply):
        if how == "deepcopy":
            twin = copy.deepcopy(model)
        elif how == "copy":
            twin = copy.copy(model)
        elif how == "pickle":
            twin = pickle.loads(pickle.dumps(model))
        else:
            buffer = io.BytesIO()
            torch.save(model, buffer)
            buffer.seek(0)
            twin = torch.load(buffer, weights_only=False)
        if how != "copy":  # a shallow copy shares its children, which are attached
            assert own(twin) == own(plain)
            assert same(twin(x), plain(x))
            assert same(twin.eval()(x), plain.eval()(x))
            plain.train()
        assert "forward" not in twin.__dict__
        assert not torch.equal(model(x), plain(x))
    assert same(model(x), plain(x))


def test_a_pickle_loads_where_torchnoise_is_not_installed() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    with tn.attach(model, tn.Injection(tn.Gaussian(0.3), at=tn.Activations("*"))):
        raw = pickle.dumps(model)
    assert b"torchnoise" not in raw
    script = (
        "import sys; sys.modules['torchnoise'] = None\n"
        "import pickle, torch\n"
        "model = pickle.loads(sys.stdin.buffer.read())\n"
        "print(tuple(model(torch.ones(1, 2)).shape), sorted(model.__dict__) == sorted(torch.nn.Sequential().__dict__))"
    )
    done = subprocess.run([sys.executable, "-c", script], input=raw, capture_output=True, check=True)
    assert done.stdout.decode().strip() == "(1, 2) True"


@pytest.mark.parametrize("training", [False, True])
def test_an_export_is_clean(training: bool) -> None:
    """torch.export, in eval and in training mode. Broken on purpose: `exporting` that returns False."""
    model, x = net(), data()
    model.train(training)
    clean = model(x)
    with tn.attach(model, multiply):
        exported = torch.export.export(model, (x,))
        assert not [n for n in exported.graph.nodes if "xor" in str(n.target)]
    torch.testing.assert_close(exported.module()(x), clean)


def test_a_trace_is_clean() -> None:
    model, x = net(), data()
    clean = model(x)
    with tn.attach(model, multiply), pytest.warns(DeprecationWarning, match="torch.jit"):
        traced = torch.jit.trace(model, x, check_trace=False)
    assert same(traced(x), clean)


def test_an_earlier_instance_forward_is_given_back() -> None:
    """Some libraries put a forward of their own into a module; so do we, above it and below it."""
    model = net()
    theirs = lambda x: Net.forward(model, x) * 2  # noqa: E731
    model.forward = theirs
    with tn.attach(model, multiply):
        assert model.forward is not theirs
    assert model.forward is theirs

    model = net()
    noise = tn.attach(model, multiply)
    ours = model.forward
    model.forward = lambda x: ours(x) * 2
    noise.detach()
    assert same(model(data()), Net.forward(net(), data()) * 2)


def test_the_signature_of_forward_stays() -> None:
    """Trainers read it to learn which columns of a data set a model takes."""
    import inspect

    model = net()
    before = inspect.signature(model.forward)
    with tn.attach(model, multiply):
        assert inspect.signature(model.forward) == before


def test_the_optimizer_is_given_back() -> None:
    model = net()
    noise, optimizer = attach_to(model, tn.Gaussian(0.1), tn.Gradients())
    assert "torchnoise" not in repr(optimizer.state_dict())
    copy.deepcopy(optimizer)
    noise.detach()
    assert not optimizer._optimizer_step_pre_hooks
    assert not optimizer._optimizer_step_post_hooks
    noise.detach()
