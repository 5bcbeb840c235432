"""Law 1: the same address gives the same bits, whatever else happens."""

from __future__ import annotations

import copy

import pytest
import torch
from cases import (
    KINDS,
    PAIRS,
    PLACES,
    Kind,
    Place,
    at_identity,
    attach_to,
    data,
    net,
    pair_name,
    same,
    sample_for,
    train_step,
)
from torch import nn

import torchnoise as tn

kinds = pytest.mark.parametrize("kind", KINDS, ids=pair_name)
floating = [(k, p) for k, p in PAIRS if not k.whole_numbers]
pairs = pytest.mark.parametrize(("kind", "place"), floating, ids=pair_name)


@pairs
def test_resumed_equals_uninterrupted(kind: Kind, place: Place) -> None:
    """Stopped after two steps and resumed from state_dicts: weights bit-equal to a run never stopped.

    Broken on purpose: `load_state_dict` that leaves the step at 0 (red for every random kind).
    """
    model = net()
    noise, optimizer = attach_to(model, kind.noise, place.site)
    for seed in range(5):
        if seed == 2:
            saved = copy.deepcopy((model.state_dict(), optimizer.state_dict(), noise.state_dict()))
        train_step(model, data(seed=seed), optimizer)
    noise.detach()

    resumed = net(seed=9)
    noise, optimizer = attach_to(resumed, kind.noise, place.site)
    resumed.load_state_dict(saved[0])
    optimizer.load_state_dict(saved[1])
    noise.load_state_dict(saved[2])
    for seed in range(2, 5):
        train_step(resumed, data(seed=seed), optimizer)
    for a, b in zip(model.parameters(), resumed.parameters(), strict=True):
        assert same(a, b)


@kinds
def test_micro_batches_equal_the_batch(kind: Kind) -> None:
    """One batch of 8 and parts of 3, 4 and 1 draw the same noise, example by example.

    Broken on purpose: a Frame whose examples begin at 0 in every forward.
    """
    x = sample_for(kind)
    whole = at_identity(kind.noise, x)
    model = nn.Identity()
    site = tn.Tokens() if kind.whole_numbers else tn.Inputs()
    with tn.attach(model, tn.Injection(kind.noise, at=site)), torch.no_grad():
        parts = torch.cat([model(part) for part in (x[:3], x[3:7], x[7:])])
    assert same(whole, parts)


@kinds
def test_any_example_can_be_drawn_alone(kind: Kind) -> None:
    """With its number, example 5 alone gets what it gets inside the batch."""
    x = sample_for(kind)
    whole = at_identity(kind.noise, x)
    model = nn.Identity()
    site = tn.Tokens() if kind.whole_numbers else tn.Inputs()
    with tn.attach(model, tn.Injection(kind.noise, at=site)) as noise, torch.no_grad():
        noise.examples(torch.tensor([5, 2]))
        assert same(model(x[[5, 2]]), whole[[5, 2]])


@kinds
def test_any_slice_of_the_elements_can_be_drawn_alone(kind: Kind) -> None:
    """Elements 5 .. 10 of a tensor without examples, drawn from their logical numbers, as shards are.

    Broken on purpose: `lay_out` without its skip into the first block.
    """
    from torchnoise.oracle import Static, draw
    from torchnoise.streams import Address

    zero = torch.zeros((), dtype=torch.int64)
    address = Address(torch.tensor([1, 2]), zero, zero[None])
    strength = torch.tensor(0.3)

    if not kind.alone:
        pytest.skip("its elements belong together; shards are gathered")
    x = sample_for(kind, 1, 21)[0]

    def drawn(count: int, first: int) -> tuple:
        static = Static(kind.noise, kind.noise.combine, None, first)
        found = draw(x[first : first + count], static, strength, address)
        return tuple(t for t in (found.values, found.hit) if t is not None and t.dim())

    for whole, part in zip(drawn(21, 0), drawn(6, 5), strict=True):
        assert torch.equal(whole[5:11], part)


@pytest.mark.parametrize("change", ["seed", "step", "pass", "example", "call", "path", "injection"])
def test_another_address_gives_other_noise(change: str) -> None:
    """Each field of the address counts. Broken on purpose: `key_for_call` that returns the key for every call."""
    x = torch.ones(4, 32)
    plan = tn.Plan(tn.Injection(tn.Gaussian(1.0), at=tn.Inputs()))

    def first(seed: int = 0, steps: int = 0, pass_: int = 0, skip: int = 0) -> torch.Tensor:
        model = nn.Identity()
        with tn.attach(model, plan, seed=seed) as noise:
            for _ in range(steps):
                model(x)
                noise.step()
            for _ in range(skip):
                model(x)
            with noise.on_pass(pass_):
                return model(x)

    if change in ("seed", "step", "pass", "example"):
        key = {"seed": "seed", "step": "steps", "pass": "pass_", "example": "skip"}[change]
        other = first() if change != "example" else first(skip=1)
        assert not torch.isclose(first(**{key: 2}), other).any()
        return
    if change == "injection":
        two = tn.Plan(*plan, *plan)
        with tn.attach(nn.Identity(), two) as noise:
            added = noise.model(x) - 1
        assert not torch.isclose(added, 2 * (first() - 1)).any()
        return
    a = nn.ReLU()
    model = nn.Sequential(a, a) if change == "call" else nn.Sequential(a, nn.ReLU())
    seen: list[torch.Tensor] = []
    with tn.attach(model, tn.Injection(tn.Gaussian(1e-3), at=tn.Activations(nn.ReLU))):
        for m in set(model):
            m.register_forward_hook(lambda m, i, o: seen.append(o - i[0]))
        model(x * 10)
    assert not torch.isclose(seen[0], seen[1], rtol=0, atol=1e-9).any()


@kinds
def test_torch_generators_are_neither_read_nor_moved(kind: Kind) -> None:
    """Broken on purpose: a source that adds torch.rand(())."""
    x = sample_for(kind)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = at_identity(kind.noise, x)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    assert same(first, at_identity(kind.noise, x))


@kinds
def test_any_number_of_threads(kind: Kind) -> None:
    x = sample_for(kind, batch=64, width=1001)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = at_identity(kind.noise, x)
        torch.set_num_threads(2)
        assert same(one, at_identity(kind.noise, x))
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("place", PLACES, ids=pair_name)
def test_weight_and_gradient_noise_do_not_depend_on_the_batch(place: Place) -> None:
    """Noise without examples is one draw a step; micro-batches of a step share it."""
    if place.per_example:
        pytest.skip("belongs to examples")
    seen = []
    for parts in ([8], [4, 4]):
        model = net()
        noise, optimizer = attach_to(model, tn.Gaussian(0.5), place.site)
        optimizer.zero_grad()
        for part in data().split(parts):
            (model(part).square().sum()).backward()
        before = [p.grad.clone() for p in model.parameters()]
        noise.gradients()
        seen.append((before, [p.grad - b for p, b in zip(model.parameters(), before, strict=True)]))
        noise.detach()
    for a, b in zip(seen[0][0], seen[1][0], strict=True):
        torch.testing.assert_close(a, b)
    for a, b in zip(seen[0][1], seen[1][1], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_dtypes_share_their_noise() -> None:
    """bfloat16, float16 and float64 get float32's noise, rounded once."""
    x = torch.zeros(3, 50)
    base = at_identity(tn.Gaussian(1.0), x)
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        assert same(at_identity(tn.Gaussian(1.0), x.to(dtype)), base.to(dtype))
