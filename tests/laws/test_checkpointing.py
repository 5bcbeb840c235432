"""Laws 1 and 8: activation checkpointing, in both modes, draws the same noise again."""

from __future__ import annotations

import pytest
import torch
from cases import PAIRS, Kind, Net, Place, attach_to, data, fill, net, pair_name, same
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint, set_checkpoint_early_stop

import torchnoise as tn

modes = pytest.mark.parametrize("reentrant", [True, False], ids=["reentrant", "non-reentrant"])
floating = [(k, p) for k, p in PAIRS if not k.whole_numbers]


class Checkpointed(Net):
    """The same model, with its twice-called block checkpointed."""

    reentrant: bool | None = None

    def run_block(self, h: Tensor) -> Tensor:
        if self.reentrant is None:
            return self.block(h)
        return checkpoint(self.block, h, use_reentrant=self.reentrant)


def gradients(model: nn.Module, x: Tensor, forwards: int = 1) -> list[Tensor]:
    """Gradients of a loss over one or several forwards and one backward."""
    model.zero_grad()
    sum(model(x + i).square().sum() for i in range(forwards)).backward()
    return [p.grad.clone() for p in model.parameters()]


@modes
@pytest.mark.parametrize(("kind", "place"), floating, ids=pair_name)
def test_gradients_are_exact(kind: Kind, place: Place, reentrant: bool) -> None:
    """A module called twice in a forward: checkpointed gradients equal the plain ones, bit for bit.

    Broken on purpose: `Recall.find` that replays from position 0 for every segment.
    """
    found = []
    for mode in (None, reentrant):
        model = Checkpointed()
        fill(model)
        model.reentrant = mode
        noise, _ = attach_to(model, kind.noise, place.site)
        found.append(gradients(model, data()))
        noise.detach()
    for a, b in zip(*found, strict=True):
        assert same(a, b)


@modes
def test_several_forwards_wait_for_one_backward(reentrant: bool) -> None:
    """Each recompute finds its own forward among three."""
    found = []
    for mode in (None, reentrant):
        model = Checkpointed()
        fill(model)
        model.reentrant = mode
        with tn.attach(model, tn.Injection(tn.Gaussian(0.5, combine="multiply"), at=tn.Activations("block.*"))):
            found.append(gradients(model, data(), forwards=3))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)  # sums over forwards come in another order


@modes
def test_gradient_accumulation(reentrant: bool) -> None:
    """Forward and backward by turns, the same tensor again, without a step between."""
    found = []
    for mode in (None, reentrant):
        model = Checkpointed()
        fill(model)
        model.reentrant = mode
        with tn.attach(model, tn.Injection(tn.Gaussian(0.5, combine="multiply"), at=tn.Activations("block.*"))):
            x = data()
            for _ in range(3):
                loss = model(x).square().sum()
                loss.backward()
            found.append([p.grad.clone() for p in model.parameters()])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)  # the reentrant mode adds the two calls' parts in turn


class Nested(Net):
    """Checkpoints inside a checkpoint, and the outer one called twice."""

    on = False

    def run_block(self, h: Tensor) -> Tensor:
        if not self.on:
            return self.block(h)
        return checkpoint(self._outer, h, use_reentrant=False)

    def _outer(self, h: Tensor) -> Tensor:
        for module in self.block:
            h = checkpoint(module, h, use_reentrant=False)
        return h


def test_checkpoints_inside_checkpoints() -> None:
    """Exact without torch's early stop, which ends the outer recompute before the inner parts are entered again.

    With it, noise behind a module is exact too, for it saves nothing that a recompute would have to bring back. Noise
    before a module is refused: which of its two calls is repeated cannot be told.
    """
    multiply = tn.Injection(tn.Gaussian(0.5, combine="multiply"), at=tn.Activations("block.*"))
    before = tn.Injection(tn.Gaussian(0.5, combine="multiply"), at=tn.Activations("block.*", side="input"))
    found = []
    for on in (False, True):
        model = Nested()
        fill(model)
        model.on = on
        with tn.attach(model, multiply), set_checkpoint_early_stop(False):
            found.append(gradients(model, data()))
    for a, b in zip(*found, strict=True):
        assert same(a, b)
    with tn.attach(model, multiply):
        for a, b in zip(found[0], gradients(model, data()), strict=True):
            assert same(a, b)
    with tn.attach(model, before), pytest.raises(RuntimeError, match="set_checkpoint_early_stop"):
        gradients(model, data())


@modes
def test_the_whole_model_checkpointed(reentrant: bool) -> None:
    """The root itself is recomputed; it does not begin a new forward, and examples go on where they were."""
    found = []
    for mode in (None, reentrant):
        model = net()
        with tn.attach(
            model, tn.Injection(tn.Gaussian(0.5, combine="multiply"), at=tn.Activations("block.*"))
        ) as noise:
            model.zero_grad()
            for part in data().requires_grad_().split(4):
                out = model(part) if mode is None else checkpoint(model, part, use_reentrant=mode)
                out.square().sum().backward()
            found.append(([p.grad.clone() for p in model.parameters()], noise.state_dict()["running"]))
    for a, b in zip(found[0][0], found[1][0], strict=True):
        assert same(a, b)
    assert found[0][1] == found[1][1] == {"0": 8}


class Unrecognisable(Net):
    """A checkpointed function that begins with plain arithmetic, around a module that runs twice."""

    def run_block(self, h: Tensor) -> Tensor:
        return checkpoint(lambda t: self.block(t * 1.0), h, use_reentrant=False)


def test_what_cannot_be_recognised_is_refused() -> None:
    """Wrong gradients would be silent. Broken on purpose: `count_call` that takes the next number and goes on."""
    model = Unrecognisable()
    with tn.attach(model, tn.Injection(tn.Gaussian(0.5, combine="multiply"), at=tn.Activations("block.*"))):
        loss = model(data()).sum()
        with pytest.raises(RuntimeError, match="not known which"):
            loss.backward()


class UnrecognisableOnce(Net):
    """The same around a module that runs once: there is only one possibility, so it is allowed."""

    on = False

    def forward(self, x: Tensor) -> Tensor:
        h = self.head(x)
        part = lambda t: self.block(t * 1.0)  # noqa: E731
        return self.tail(checkpoint(part, h, use_reentrant=False) if self.on else part(h))


def test_what_has_one_possibility_is_allowed() -> None:
    found = []
    for on in (False, True):
        model = UnrecognisableOnce()
        fill(model)
        model.on = on
        with tn.attach(model, tn.Injection(tn.Gaussian(0.5, combine="multiply"), at=tn.Activations("block.*"))):
            for _ in range(2):
                found.append(gradients(model, data()))
    for a, b in zip(found[:2], found[2:], strict=True):
        assert all(same(p, q) for p, q in zip(a, b, strict=True))


def test_backward_after_the_step_is_refused() -> None:
    """The recompute would draw the next step's noise."""
    model = Checkpointed()
    model.reentrant = False
    with tn.attach(model, tn.Injection(tn.Gaussian(0.5, combine="multiply"), at=tn.Activations("block.*"))) as noise:
        loss = model(data()).sum()
        noise.step()
        with pytest.raises(RuntimeError, match="not known which"):
            loss.backward()


@modes
def test_torch_random_state_is_left_to_torch(reentrant: bool) -> None:
    """Dropout beside the noise still repeats itself."""
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.Linear(4, 4))
    fill(model)
    found = []
    for mode in (None, reentrant):
        torch.manual_seed(0)
        with tn.attach(model, tn.Injection(tn.Gaussian(0.5, combine="multiply"), at=tn.Activations("1"))):
            model.zero_grad()
            x = data().requires_grad_()
            out = model(x) if mode is None else checkpoint(model, x, use_reentrant=mode)
            out.square().sum().backward()
            found.append([p.grad.clone() for p in model.parameters()])
    for a, b in zip(*found, strict=True):
        assert same(a, b)
