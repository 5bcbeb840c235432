"""Bad input gets one clear line that names what, where and what is allowed; and nothing is lost."""

from __future__ import annotations

import re

import pytest
import torch
from cases import Net, attach_to, data, net, same
from torch import Tensor, nn

import torchnoise as tn

NAN, INF = float("nan"), float("inf")


def one_line(caught: pytest.ExceptionInfo, *parts: str) -> None:
    """One line, that holds every part."""
    text = str(caught.value.args[0])
    assert "\n" not in text
    for part in parts:
        assert part in text, text


@pytest.mark.parametrize("source", [tn.Gaussian, tn.Uniform, tn.Bernoulli, tn.FGSM])
@pytest.mark.parametrize("strength", [-0.1, NAN, INF, -INF])
def test_strengths(source: type, strength: float) -> None:
    with pytest.raises(ValueError, match=r"strength is .*, allowed: a number from 0 to") as caught:
        source(strength)
    one_line(caught, source.__name__)


@pytest.mark.parametrize("strength", ["0.1", None, True, [0.1]])
def test_strengths_that_are_no_numbers(strength: object) -> None:
    with pytest.raises(TypeError, match="allowed: a number"):
        tn.Gaussian(strength)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "parts"),
    [
        (lambda: tn.Bernoulli(1.5), ("from 0 to 1",)),
        (lambda: tn.Bernoulli(1.0), ("no mean to keep",)),
        (lambda: tn.Bernoulli(0.5, value=NAN), ("finite",)),
        (lambda: tn.Gaussian(0.1, combine="ad"), ("'ad'", "'add'", "'multiply'", "'replace'")),
        (lambda: tn.Gaussian(0.1, relative_to="rsm"), ("'rsm'", "did you mean 'rms'")),
        (lambda: tn.Gaussian(0.1, relative_to="rms", combine="multiply"), ("relative to x already",)),
        (lambda: tn.Learned(0.0), ("positive",)),
        (lambda: tn.Bernoulli(0.1, relative_to=tn.Learned(0.1)), ("Learned cannot scale",)),
        (lambda: tn.Activations("a", batch_axis=-1), ("batch_axis is -1",)),
        (lambda: tn.PerExampleGradients(clip=0.0), ("positive",)),
        (lambda: tn.PerExampleGradients(1.0, reduction="none"), ("'mean', 'sum'",)),
        (lambda: tn.linear(1.0, -1.0, 5), ("linear: end",)),
        (lambda: tn.linear(1.0, 0.0, 0), ("whole number from 1",)),
        (lambda: tn.power_decay(eta=-1.0), ("power_decay: eta",)),
        (lambda: tn.window(5, 5), ("first < last",)),
        (lambda: tn.join([tn.constant(1.0)], [3]), ("one boundary fewer",)),
        (lambda: tn.join([tn.constant(1.0)] * 3, [5, 3]), ("rising",)),
        (lambda: tn.Activations(), ("no module chosen",)),
        (lambda: tn.Activations("a", side="left"), ("'input', 'output'",)),
        (lambda: tn.Activations(3), ("selector 3",)),
    ],
)
def test_values(make, parts: tuple[str, ...]) -> None:
    with pytest.raises((ValueError, TypeError)) as caught:
        make()
    one_line(caught, *parts)


@pytest.mark.parametrize(
    ("make", "parts"),
    [
        (lambda: tn.Injection(0.1, at=tn.Inputs()), ("noise is 0.1",)),
        (lambda: tn.Injection(tn.Gaussian(0.1), at="input"), ("at is 'input'",)),
        (lambda: tn.Injection(tn.Gaussian(0.1), at=tn.Inputs(), when=0.5), ("when is 0.5", "function of the step")),
        (lambda: tn.Injection(tn.Gaussian(0.1), at=tn.Inputs(), mask=3), ("mask is 3",)),
        (lambda: tn.Injection(tn.Gaussian(0.1), at=tn.Inputs(), dims=[0.5]), ("whole numbers",)),
        (lambda: tn.Injection(tn.Gaussian(0.1), at=tn.Tokens()), ("gives no whole numbers", "Bernoulli(")),
        (lambda: tn.Plan(tn.Gaussian(0.1)), ("allowed: Injection",)),
    ],
)
def test_plans(make, parts: tuple[str, ...]) -> None:
    with pytest.raises(TypeError) as caught:
        make()
    one_line(caught, *parts)


@pytest.mark.parametrize(
    ("site", "parts"),
    [
        (tn.Activations("blck.0"), ("'blck.0'", "did you mean 'block.0'")),
        (tn.Weights("heda"), ("'heda'", "'head.weight'")),
        (tn.Gradients(re.compile("tial.*")), ("tial.*",)),
        (tn.Activations("block.*", exclude="blok.1"), ("'blok.1'", "'block.1'")),
        (tn.Activations("block.*", exclude="block.*"), ("everything that matches is excluded",)),
        (tn.Activations(nn.Conv2d), ("'Conv2d'",)),
        (tn.Weights("head.bias"), ("min_ndim=1",)),
        (tn.Embeddings(), ("no nn.Embedding",)),
    ],
)
def test_unknown_names(site, parts: tuple[str, ...]) -> None:
    with pytest.raises(LookupError) as caught:
        attach_to(net(), tn.Gaussian(0.1), site)
    one_line(caught, *parts)


def test_attach() -> None:
    plan = tn.Plan(tn.Injection(tn.Gaussian(0.1), at=tn.Inputs()))
    for seed in (-1, 2**64, 0.5, True):
        with pytest.raises(ValueError, match=r"seed is .*, allowed: a whole number from 0"):
            tn.attach(net(), plan, seed=seed)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="plan is 7"):
        tn.attach(net(), 7)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"allowed: a torch.nn.Module"):
        tn.attach(lambda x: x, plan)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="optimizer is float"):
        tn.attach(net(), plan, optimizer=0.1)  # type: ignore[arg-type]
    with pytest.raises(LookupError, match="no noise attached"):
        tn.predict(net(), data())


def test_gradients_without_an_optimizer() -> None:
    with pytest.raises(ValueError, match="needs the optimizer") as caught:
        tn.attach(net(), tn.Injection(tn.Gaussian(0.1), at=tn.Gradients()))
    one_line(caught, "optimizer=opt")


def test_optimizers_that_take_closures() -> None:
    model = net()
    gradients = tn.Injection(tn.Gaussian(0.1), at=tn.Gradients())
    lbfgs = torch.optim.LBFGS(model.parameters())
    with pytest.raises(TypeError, match=r"LBFGS .*closure"):
        tn.attach(model, gradients, optimizer=lbfgs)
    tn.attach(model, tn.Injection(tn.Gaussian(0.1), at=tn.Inputs()), optimizer=lbfgs).detach()
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    before = [p.detach().clone() for p in model.parameters()]
    with tn.attach(model, gradients, optimizer=sgd), pytest.raises(TypeError, match="closure"):
        sgd.step(lambda: model(data()).sum())
    assert all(same(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_optimizers_that_hold_other_parameters() -> None:
    model = net()
    head = torch.optim.SGD(model.head.parameters(), lr=0.1)
    with pytest.raises(ValueError, match=r"does not hold 'block.0.weight'.* and others"):
        tn.attach(model, tn.Injection(tn.Gaussian(0.1), at=tn.Gradients()), optimizer=head)
    tn.attach(model, tn.Injection(tn.Gaussian(0.1), at=tn.Gradients("head")), optimizer=head).detach()


def test_stepping_by_hand_beside_an_optimizer() -> None:
    noise, _ = attach_to(net(), tn.Gaussian(0.1), tn.Inputs())
    with pytest.raises(RuntimeError, match="counts the steps"):
        noise.step()


def test_integers_under_gaussian_noise() -> None:
    class Ids(nn.Module):
        def forward(self, input_ids: Tensor) -> Tensor:
            return input_ids

    with (
        tn.attach(Ids(), tn.Injection(tn.Gaussian(0.1), at=tn.Inputs())) as noise,
        pytest.raises(TypeError, match="tensor of int64") as caught,
    ):
        noise.model(torch.ones(2, 3, dtype=torch.int64))
    one_line(caught, "model (input)", "embedding")


def test_dimensions_out_of_range() -> None:
    for more, match in (
        ({"dims": [0, 9]}, "dims has 9, allowed: -4 to 3 along axis -1"),
        ({"dims": [0], "axis": 2}, "axis is 2, allowed: -2 to 1"),
    ):
        noise, _ = attach_to(net(), tn.Gaussian(0.1), tn.Inputs(), **more)
        with pytest.raises(IndexError, match=match):
            noise.model(data())


def test_masks() -> None:
    noise, _ = attach_to(net(), tn.Gaussian(0.1), tn.Inputs(), mask="attention")
    with pytest.raises(LookupError, match="no mask 'attention'; it was given 'x'"):
        noise.model(data())
    noise, _ = attach_to(net(), tn.Gaussian(0.1), tn.Inputs(), mask=lambda given: torch.ones(3) > 0)
    with pytest.raises(ValueError, match=r"mask has shape \(3,\)"):
        noise.model(data())
    noise, _ = attach_to(net(), tn.Gaussian(0.1), tn.Inputs(), mask=lambda given: torch.zeros(8))
    with pytest.raises(TypeError, match=r"mask is torch.float32"):  # an additive mask would be read the wrong way round
        noise.model(data())


def test_example_numbers() -> None:
    noise, _ = attach_to(net(), tn.Gaussian(0.1), tn.Inputs())
    for ids, match in (
        (torch.ones(8), "float32"),
        (torch.ones(2, 4, dtype=torch.int64), "shape"),
        (torch.tensor([0, -1]), "-1"),
        (torch.tensor([2**32]), "4294967296"),
    ):
        with pytest.raises(ValueError, match=match):
            noise.examples(ids)
    noise.examples(torch.arange(3))
    with pytest.raises(ValueError, match="no axis 0 of 3 examples"):
        noise.model(data())


@pytest.mark.parametrize(
    ("when", "given"),
    [(lambda t: 1.0 - 2 * t, "-1.0"), (lambda t: NAN if t else 1.0, "nan"), (lambda t: "x" if t else 1.0, "'x'")],
)
def test_schedules_that_go_wrong_name_the_step(when, given: str) -> None:
    model = net()
    with tn.attach(model, tn.Injection(tn.Gaussian(0.1), at=tn.Inputs(), when=when)) as noise:
        model(data())
        with pytest.raises(ValueError, match="step 1: the schedule") as caught:
            noise.step()
        assert noise.current_step == 0  # as it was
    one_line(caught, f"gave {given}", "allowed: a number from 0")


def test_a_loss_that_turns_nan_names_step_and_site() -> None:
    """Found by running the step's last forward again with the same noise; buffers and generators stay."""
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.1), nn.Linear(4, 1))
    plan = tn.Plan(
        tn.Injection(tn.Gaussian(0.1), at=tn.Activations("0")),
        tn.Injection(tn.Gaussian(1.0), at=tn.Activations("1"), when=lambda t: 3e38 if t else 0.1),
    )
    with tn.attach(model, plan) as noise:
        noise.check(model(data()).mean())
        noise.step()
        loss = model(data()).square().mean()
        state = torch.get_rng_state()
        tracked = model[1].num_batches_tracked.clone()
        with pytest.raises(FloatingPointError, match=r"step 1: the loss is (inf|nan); first seen at 1 ") as caught:
            noise.check(loss)
        one_line(caught, "by its noise", "Gaussian(1)")
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.equal(model[1].num_batches_tracked, tracked)


def test_parameters_that_turned_nan_are_named() -> None:
    model = net()
    noise, optimizer = attach_to(model, tn.Gaussian(1e38), tn.Gradients())
    optimizer.param_groups[0]["lr"] = 1e3
    model(data()).sum().backward()
    optimizer.step()
    with pytest.raises(
        FloatingPointError, match=r"step 1: .*parameter 'head.weight' is not finite .*Gaussian\(1e\+38\)"
    ):
        noise.check(model(data()).sum())


def test_states_of_other_runs() -> None:
    """A renamed layer, another seed, another version: refused, and the attachment stays as it was."""

    class Renamed(Net):
        def __init__(self) -> None:
            super().__init__()
            self.core = self.block
            del self.block

        def run_block(self, h: Tensor) -> Tensor:
            return self.core(h)

    plan = tn.Injection(tn.Gaussian(0.1), at=tn.Activations("*.0"))
    with tn.attach(net(), plan) as noise:
        state = noise.state_dict()
    with tn.attach(Renamed(), plan) as noise:
        with pytest.raises(ValueError, match=r"missing \['block.0.*'\], new \['core.0"):
            noise.load_state_dict(state)
        with pytest.raises(ValueError, match="seed 7"):
            noise.load_state_dict({**state, "seed": 7})
        for broken, match in (({}, "'version' is missing"), ({**state, "step": -3}, "step is -3")):
            with pytest.raises(ValueError, match=match):
                noise.load_state_dict(broken)
        with pytest.raises(ValueError, match="stream version 9"):
            noise.load_state_dict({**state, "version": 9})
        assert noise.current_step == 0


def test_packed_sequences() -> None:
    from torch.nn.utils.rnn import pack_sequence

    class Packed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(2, 3)

        def forward(self, x: Tensor) -> object:
            return self.rnn(pack_sequence([x[0], x[1]]))

    with (
        tn.attach(Packed(), tn.Injection(tn.Gaussian(0.1), at=tn.Activations("rnn"))) as noise,
        pytest.raises(TypeError, match="PackedSequence"),
    ):
        noise.model(torch.ones(2, 4, 2))


def test_sparse_gradients() -> None:
    model = nn.Embedding(5, 3, sparse=True)
    noise, optimizer = attach_to(model, tn.Gaussian(0.1), tn.Gradients())
    model(torch.tensor([1, 2])).sum().backward()
    with pytest.raises(TypeError, match="sparse gradient"):
        optimizer.step()
    noise.detach()


def test_noisy_says_what_it_takes() -> None:
    """One line for each, naming what and what is allowed."""
    x, at, noise = torch.zeros(4, 5), tn.address(examples=4), tn.Gaussian(0.1)
    wanted = torch.zeros(4, 5, requires_grad=True)
    for error, line, call in (
        (TypeError, "x is list", lambda: tn.noisy([1.0], noise, at)),
        (TypeError, "noise is 0.1, allowed", lambda: tn.noisy(x, 0.1, at)),
        (TypeError, "use tn.attach", lambda: tn.noisy(x, tn.FGSM(0.1), at)),
        (TypeError, "use tn.attach", lambda: tn.noisy(x, tn.Gaussian(1.0, relative_to=tn.Learned(0.1)), at)),
        (TypeError, "at is int", lambda: tn.noisy(x, noise, 3)),
        (TypeError, "keep is torch.float32", lambda: tn.noisy(x, noise, at, keep=torch.ones(4, 1))),
        (ValueError, "strength is -1.0", lambda: tn.noisy(x, noise, at, strength=-1.0)),
        (ValueError, "strength is nan", lambda: tn.noisy(x, noise, at, strength=float("nan"))),
        (ValueError, "strength is 1.5", lambda: tn.noisy(x, tn.Bernoulli(0.1), at, strength=1.5)),
        (ValueError, "does not hold the address's 3 examples", lambda: tn.noisy(x, noise, tn.address(examples=3))),
        (ValueError, "batch_axis is 2", lambda: tn.noisy(x, noise, at, batch_axis=2)),
        (ValueError, "out is", lambda: tn.noisy(x, noise, at, out=torch.zeros(4, 6))),
        (ValueError, "several elements of out", lambda: tn.noisy(x, noise, at, out=torch.zeros(4, 1).expand(4, 5))),
        (ValueError, "no gradients flow into out", lambda: tn.noisy(wanted, noise, at, out=x)),
        (ValueError, "no gradients flow into out", lambda: tn.noisy(x, noise, at, out=wanted)),
        (ValueError, "step is 1.5", lambda: tn.address(step=1.5)),
        (ValueError, "step is -1", lambda: tn.address(step=-1)),
        (ValueError, "examples is -1", lambda: tn.address(examples=-1)),
    ):
        with pytest.raises(error, match=line):
            call()


def test_a_change_in_place_is_seen_by_autograd() -> None:
    """Kernels write past torch: whoever saved the tensor must hear. Broken on purpose: `_changed` that does nothing."""
    x, w = torch.ones(4), torch.ones(4, requires_grad=True)
    loss = (x * w).sum()
    tn.noisy(x, tn.Gaussian(0.1), tn.address(), out=x)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_an_expanded_gradient_is_refused() -> None:
    """Its elements share one place: torch says so, and nothing is written twice."""
    model = torch.nn.Linear(3, 3, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with tn.attach(model, tn.Injection(tn.Gaussian(0.1), at=tn.Gradients()), optimizer=optimizer):
        for step in range(2):  # the first step's gradient is measured for the report, the second's is not
            model.weight.grad = torch.ones(3, 3) if step == 0 else torch.ones(3, 1).expand(3, 3)
            if step == 0:
                optimizer.step()
        with pytest.raises(RuntimeError, match="single memory location"):
            optimizer.step()
