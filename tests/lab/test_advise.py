"""Advised strengths against closed forms, and against a slow search with torch's own random numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor, nn

import torchnoise as tn
from torchnoise.lab.advise import Probe, advise, advise_sites, strength_at
from torchnoise.lab.data import TABLE, TEXT, Data, Part
from torchnoise.lab.models import Model, Training
from torchnoise.lab.noises import CANDIDATES, Candidate, default_names, resolve
from torchnoise.lab.noises.facts import Facts
from torchnoise.lab.task import Task
from torchnoise.lab.treatments import Treatment

RISE = 0.1


@dataclass(frozen=True)
class Given(Model):
    """Networks are given to what asks about them; nothing is built."""

    name: str = "given"
    described: str = "given"
    training: Training = Training(1, 64, 0.01)  # noqa: RUF009 - frozen
    encoder: None = None

    def build(self, seed: int) -> nn.Module:
        raise AssertionError("nothing shall be built")

    def outputs(self, model: nn.Module, x: Tensor) -> Tensor:
        return model(x)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def linear_world(error: float = 1.0, features: int = 12) -> tuple[nn.Linear, Data]:
    """A linear model of a number, with its own weights known, and residuals of this size."""
    g = generator(3)
    x = torch.randn(700, features, generator=g)
    net = nn.Linear(features, 1)
    net.requires_grad_(False)
    with torch.no_grad():
        net.weight.copy_(torch.randn(1, features, generator=g) * 0.3)
        net.bias.zero_()
        y = net(x)[:, 0] + error * torch.randn(700, generator=g)
    return net, Data("linear", TABLE, Task(None), Part(x, y), Part(x, y))


def classes_world() -> tuple[nn.Sequential, Data]:
    """A small network trained by hand on three classes; its loss is well below chance and well above 0."""
    g = generator(5)
    x = torch.randn(1200, 8, generator=g)
    y = (x[:, :3] + 0.4 * torch.randn(1200, 3, generator=g) + 0.5 * x[:, 3:6] * x[:, 5:8]).argmax(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 3))
    task, optimizer = Task(("a", "b", "c")), torch.optim.Adam(net.parameters(), 0.01)
    for _ in range(30):
        optimizer.zero_grad()
        task.loss(net(x[:600]), y[:600]).backward()
        optimizer.step()
    optimizer.zero_grad()
    net.eval()
    return net, Data("classes", TABLE, task, Part(x[:600], y[:600]), Part(x[600:], y[600:]))


def only(name: str, net: nn.Module, data: Data, **how: float) -> float | None:
    (found,) = advise(net, Given(), data, [resolve(CANDIDATES[name], data, net)], **how)  # type: ignore[arg-type]
    return found.strength


# -- the search alone --------------------------------------------------------------------------------------------------

CURVES: list[Callable[[float], float]] = [
    lambda s: 3.0 * s**2,
    lambda s: 0.4 * s,
    lambda s: s**4,
    lambda s: math.expm1(min(s**2, 500.0)),
    lambda s: s**2 - 0.1 * s,  # falls first
    lambda s: 1.0 if s > 0.3 else 0.0,
    lambda s: math.inf if s > 0.7 else s**2,
    lambda s: 5.0 * math.tanh(s) ** 2,
]
STEPS = (5,)  # where nothing can be interpolated


@pytest.mark.parametrize("start", [1e-4, 0.05, 1.0, 30.0])
@pytest.mark.parametrize("curve", range(len(CURVES)))
def test_the_search_finds_the_crossing(curve: int, start: float) -> None:
    """Against a scan of 20,000 strengths. Broken on purpose: interpolation linear in the strength, not its square."""
    rise_of, wanted = CURVES[curve], 0.1
    asked = []

    def counted(s: float) -> float:
        asked.append(s)
        return rise_of(s)

    found = strength_at(counted, wanted, start, top=64.0)
    grid = [10 ** (-6 + 8 * i / 20_000) for i in range(20_001)]
    slow = next(s for s in grid if rise_of(s) >= wanted)
    assert found == pytest.approx(slow, rel=0.25 if curve in STEPS else 0.02)
    if curve == 0:
        assert found == pytest.approx(math.sqrt(wanted / 3.0), rel=1e-9)
    assert len(asked) < 30
    assert max(asked) <= 64.0


def test_a_rise_that_is_not_reached() -> None:
    asked = []
    assert strength_at(lambda s: asked.append(s) or 0.05, 0.1, start=0.1, top=3.0) is None  # type: ignore[func-returns-value]
    assert max(asked) == 3.0


# -- closed forms ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rise", [0.01, 0.1, 1.0])
def test_noise_on_the_input_of_a_linear_model(rise: float) -> None:
    """The squared error rises by exactly sigma^2 |w|^2 (Bishop 1995). 4096 draws of what is quadratic in the noise: a
    standard error of 1.1 % in sigma; the bound is 4 %. Broken on purpose: what is linear in the noise left in; a rise
    that is relative to sigma."""
    net, data = linear_world()
    expected = math.sqrt(rise * Probe(net, Given(), data).clean / float(net.weight.square().sum()))
    assert only("gaussian_input", net, data, rise=rise) == pytest.approx(expected, rel=0.04)
    # uniform noise has half width / sqrt(3)
    assert only("uniform_input", net, data, rise=rise) == pytest.approx(math.sqrt(3) * expected, rel=0.04)


def test_noise_on_the_weights_of_a_linear_model() -> None:
    """It rises by sigma^2 rms(w)^2 E|x|^2. A few draws for the whole batch, 12 weights each: 8 x 12 squares, so a
    standard error of 7 % in sigma; the bound is 3 of them."""
    net, data = linear_world()
    x, clean = data.validation.x[:512], Probe(net, Given(), data).clean
    per_sigma = float(net.weight.square().mean() * x.square().sum(1).mean())
    assert only("weight", net, data) == pytest.approx(math.sqrt(RISE * clean / per_sigma), rel=0.21)


def test_the_sites_of_a_linear_model() -> None:
    """Relative to each example's rms: the curvature is mean(rms^2) |w|^2, and sigma follows from it."""
    net, data = linear_world()
    probe = Probe(net, Given(), data)
    found = advise_sites(probe, rise=RISE)
    assert [(s.kind, s.name) for s in found.sites] == [("input", ""), ("weight", "weight")]
    assert (found.left_out, found.refused) == (0, [])
    x = data.validation.x[:512]
    curvature = float(x.square().mean() * net.weight.square().sum())
    first = found.sites[0]
    assert first.sigma is not None
    assert first.rms == pytest.approx(float(x[:256].square().mean().sqrt()), rel=1e-3)
    assert first.curvature == pytest.approx(curvature, rel=0.08)
    assert first.sigma == pytest.approx(math.sqrt(RISE * probe.clean / curvature), rel=0.04)


# -- brute force -------------------------------------------------------------------------------------------------------


def slow_rise(loss: Callable[[Tensor], Tensor], x: Tensor, noisy: Callable[[float], Tensor], sigma: float) -> float:
    """The mean over noise from torch's own generator."""
    with torch.no_grad():
        return float(loss(noisy(sigma)) - loss(x))


@pytest.mark.parametrize("name", ["gaussian_input", "mask_input", "activation_multiply", "dropout"])
def test_within_a_tenth_of_brute_force(name: str) -> None:
    """At what is advised, give or take a tenth, 300 draws for each of 512 examples by torch alone stand on either side
    of the stated rise: a rise is then known to about 1 %."""
    net, data = classes_world()
    strength = only(name, net, data)
    assert strength is not None
    x, y = data.validation.x[:512], data.validation.y[:512]
    g = generator(9)

    def noisy(t: Tensor, s: float) -> Tensor:
        if name == "gaussian_input":
            return t + s * torch.randn(t.shape, generator=g)
        if name == "activation_multiply":
            return t * (1 + s * torch.randn(t.shape, generator=g))
        return t * (torch.rand(t.shape, generator=g) >= s) / (1 - s)

    def loss_under(s: float) -> float:
        at_input, h = name.endswith("input"), x.repeat(300, 1)
        for layer in net:
            h = noisy(h, s) if at_input and layer is net[0] else h
            h = layer(h)
            h = noisy(h, s) if isinstance(layer, nn.ReLU) and not at_input else h
        return float(data.task.loss(h, y.repeat(300)))

    with torch.no_grad():
        clean = float(data.task.loss(net(x), y))
        assert loss_under(0.9 * strength) < (1 + RISE) * clean < loss_under(1.1 * strength)


# -- what it says and leaves alone -------------------------------------------------------------------------------------


def test_it_leaves_everything_as_it_was() -> None:
    net, data = classes_world()
    net.train()
    net[1].eval()
    modes = [m.training for m in net.modules()]
    weights = {k: v.clone() for k, v in net.state_dict().items()}
    state = torch.random.get_rng_state()
    candidates = {n: resolve(CANDIDATES[n], data, net) for n in default_names(data, net)}
    one = advise(net, Given(), data, candidates)
    advise_sites(Probe(net, Given(), data))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert [m.training for m in net.modules()] == modes
    assert all(torch.equal(v, weights[k]) for k, v in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())
    tn.attach(net, candidates["weight"].treat(0.1).plan).detach()  # nothing stayed attached
    assert advise(net, Given(), data, candidates) == one
    assert advise(net, Given(), data, candidates, seed=1) != one
    assert [a.name for a in one] == list(candidates)


def test_signal_and_noise_at_the_sites() -> None:
    net, data = classes_world()
    add = resolve(CANDIDATES["activation_add"], data, net)
    (found,) = advise(net, Given(), data, [add])
    with torch.no_grad():
        x = data.validation.x[:256]
        squares = [float(h.square().mean()) for h in (net[:2](x), net[:4](x))]
    assert found.strength is not None
    # the second site's signal is a little larger for the noise at the first
    assert found.rms == pytest.approx(math.sqrt(sum(squares) / 2), rel=0.03)
    assert found.noise == pytest.approx(found.strength * found.rms, rel=0.03)


def test_noise_on_gradients_is_as_strong_as_they_are() -> None:
    """Whether the strength is a variance (eta) or a factor on a plan."""
    net, data = classes_world()
    x, y = data.validation.x[:64], data.validation.y[:64]
    gradients = torch.autograd.grad(data.task.loss(net(x), y), list(net.parameters()))
    rms = math.sqrt(float(torch.cat([g.flatten() for g in gradients]).square().mean()))
    (found,) = advise(net, Given(), data, [CANDIDATES["gradient"]])
    assert found.strength == pytest.approx(rms**2, rel=1e-4)
    assert found.why.startswith("does not act on the loss; as strong at the first step as the gradients, rms 0.0")

    def doubled(s: float, facts: Facts) -> Treatment:
        return Treatment(tn.Plan(tn.Injection(tn.Gaussian(2 * s), at=tn.Gradients(), when=tn.constant(0.5))))

    (found,) = advise(net, Given(), data, [replace(CANDIDATES["gradient"], make=doubled)])
    assert found.strength == pytest.approx(rms, rel=1e-4)


def test_what_has_no_strength_says_why() -> None:
    net, data = classes_world()

    def nothing(s: float, facts: Facts) -> Treatment:  # on a feature that the network does not look at
        return Treatment(tn.Plan(tn.Injection(tn.Gaussian(s), at=tn.Inputs(), dims=[7])))

    with torch.no_grad():
        net[0].weight[:, 7] = 0.0
    deaf = Candidate("deaf", "", "sigma", (TABLE,), 0.1, nothing)
    decay, silent = advise(net, Given(), data, [CANDIDATES["weight_decay"], deaf])
    assert (decay.strength, decay.why) == (None, "no noise; the rule of thumb")
    assert (silent.strength, silent.why) == (None, "no such rise up to 6.4")
    limited = replace(deaf, limit=1.0)
    assert advise(net, Given(), data, [limited])[0].why == "no such rise up to 0.95"


def test_near_a_loss_of_nothing_the_rise_is_relative_to_chance() -> None:
    """A tenth of the loss at chance stands in: the target's variance here."""
    net, data = linear_world(error=1e-4)
    probe = Probe(net, Given(), data)
    variance = float(data.validation.y.double().var(correction=0))
    assert probe.clean < 1e-6
    assert probe.chance == pytest.approx(variance)
    assert probe.base == pytest.approx(0.1 * variance)
    expected = math.sqrt(RISE * probe.base / float(net.weight.square().sum()))
    assert only("gaussian_input", net, data) == pytest.approx(expected, rel=0.04)


def test_chance() -> None:
    net, data = classes_world()
    shares = torch.bincount(data.validation.y).double() / len(data.validation.y)
    probe = Probe(net, Given(), data)
    assert probe.chance == pytest.approx(float(-(shares * shares.log()).sum()))
    assert probe.clean < probe.chance
    assert probe.base == probe.clean


def test_what_is_wrong_is_one_line() -> None:
    net, data = classes_world()
    for rise in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match=r"^--rise is .*, allowed: a number above 0$"):
            advise(net, Given(), data, [], rise=rise)
    with torch.no_grad():
        net[0].weight.fill_(math.nan)
    with pytest.raises(ValueError, match=r"loss is not finite"):
        advise(net, Given(), data, [])


def test_sites_of_a_reader_of_texts() -> None:
    """Embeddings in place of the input; containers and their copies of a signal are left out; many sites are spread."""

    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(20, 8, padding_idx=0)
            self.body = nn.Sequential(nn.Linear(8, 8), nn.GELU(), nn.Dropout(0.5))
            self.out = nn.Linear(8, 2)

        def forward(self, ids: Tensor) -> Tensor:
            return self.out(self.body(self.embedding(ids).mean(1)))

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = Reader()
    ids = torch.randint(1, 20, (64, 5), generator=generator())
    data = Data("texts", TEXT, Task(("a", "b")), Part(ids, ids[:, 0] % 2), Part(ids, ids[:, 0] % 2))
    told = []
    found = advise_sites(Probe(net, Given(), data), progress=lambda done, of: told.append((done, of)))
    names = [(s.kind, s.name) for s in found.sites]
    assert names == [
        ("embedding", "embedding"),
        ("weight", "embedding.weight"),
        ("weight", "body.0.weight"),
        ("activation", "body.0"),
        ("activation", "body.1"),
        ("weight", "out.weight"),
        ("activation", "out"),
    ]
    assert told == [(i, 7) for i in range(1, 8)]
    assert all(s.rms is not None and s.rms > 0 for s in found.sites)
    few = advise_sites(Probe(net, Given(), data), most=3)
    assert [s.name for s in few.sites] == ["embedding", "body.0", "out"]
    assert few.left_out == 4
    tokens = [resolve(CANDIDATES[n], data, net) for n in ("drop_tokens", "replace_tokens", "swap_tokens")]
    assert all(a.rms is None and a.noise is None for a in advise(net, Given(), data, tokens))
