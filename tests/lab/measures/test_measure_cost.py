"""What a treatment costs: the memory exactly, and the time by a clock of the test's own."""

import pytest
import torch
from lab.measures.toys import Toy, mlp, table
from saved import saved_bytes
from torch import nn

import torchnoise as tn
from torchnoise.lab.measures import cost, relative_cost
from torchnoise.lab.measures.kept import kept_bytes
from torchnoise.lab.models import Training
from torchnoise.lab.treatments import Treatment

TRAINING = Training(1, 32, 0.01)


def nets():
    conv = nn.Sequential(nn.Unflatten(1, (1, 8, 16)), nn.Conv2d(1, 4, 3), nn.GELU(), nn.Flatten(), nn.LayerNorm(336))
    return {
        "mlp": nn.Sequential(nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 8)),
        "convolution": conv,
        "attention": nn.Sequential(
            nn.Unflatten(1, (8, 16)), nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, dropout=0.0)
        ),
    }


@pytest.mark.parametrize("name", nets())
def test_a_clean_networks_memory_is_what_hooks_see(name):
    """Without noise, saved_tensors_hooks see all that is kept; parameters taken away."""
    net, x = nets()[name], torch.randn(4, 128)
    seen = {}

    def pack(t):
        seen[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        out = net(x).sum()
    own = {p.untyped_storage().data_ptr() for p in net.parameters()}
    assert kept_bytes(lambda: net(x).sum(), net) == sum(size for place, size in seen.items() if place not in own) > 0
    assert out.requires_grad


def test_by_hand():
    """A linear layer and a ReLU keep the input and the ReLU's output: 4 bytes each."""
    net = nn.Sequential(nn.Linear(16, 8, bias=False), nn.ReLU())
    x = torch.randn(5, 16)
    assert kept_bytes(lambda: net(x).sum(), net) == 4 * (5 * 16 + 5 * 8)


def test_noise_that_is_drawn_again_is_not_kept():
    """Noisy weights are drawn again; multiplied activations keep no factor, and their outputs are kept for the next
    layer. Hooks would have counted the weights."""
    net, x = nn.Sequential(nn.Linear(16, 256), nn.ReLU(), nn.Linear(256, 3)), torch.randn(4, 16)
    clean = kept_bytes(lambda: net(x).sum(), net)
    with tn.attach(net, tn.Injection(tn.Gaussian(0.1, relative_to="rms"), at=tn.Weights())):
        assert kept_bytes(lambda: net(x).sum(), net) <= clean + 1024
        assert saved_bytes(net, x) >= clean + 4 * 256 * 3  # the first layer's are not kept: its input needs no gradient
    with tn.attach(net, tn.Injection(tn.Bernoulli(0.2), at=tn.Activations(nn.ReLU))):
        kept = kept_bytes(lambda: net(x).sum(), net)
    assert clean + 4 * 4 * 256 <= kept <= clean + 4 * 4 * 256 + 1024


class Timed(Toy):
    """A model whose every forward takes as long as it is told, by the clock of `time`."""

    def __init__(self, make, seconds, monkeypatch):
        super().__init__(make)
        self.seconds, self.now, self.forwards = seconds, 0.0, 0
        monkeypatch.setattr(cost.time, "perf_counter", lambda: self.now)

    def outputs(self, model, x):
        self.now += self.seconds
        self.forwards += 1
        return model(x)


def test_the_ratio_of_times(monkeypatch):
    """A step of 10 ms, with an augmentation of 5 ms: 1.5."""
    data, _ = table()
    model = Timed(mlp(5, 3).make, 0.010, monkeypatch)

    def augment(x, generator):
        model.now += 0.005
        return x + torch.rand(x.shape, generator=generator)

    found = relative_cost(Treatment(augment=augment), model, data, TRAINING)
    assert found == pytest.approx((1.5, 1.0, 0.010))
    assert model.now == pytest.approx(1.0, rel=0.3)  # a second in all


def test_one_block_in_a_hundred_that_stumbles_is_not_seen(monkeypatch):
    data, _ = table()
    model, calls = Timed(mlp(5, 3).make, 0.001, monkeypatch), []

    def augment(x, generator):
        calls.append(1)
        model.now += 1.0 if len(calls) == 100 else 0.001
        return x

    assert relative_cost(Treatment(augment=augment), model, data, TRAINING).time == pytest.approx(2.0)
    assert len(calls) > 100


@pytest.mark.parametrize(("seconds", "most"), [(1.0, 14), (0.1, 25), (1e-4, 800)])
def test_slow_steps_are_run_few_times(seconds, most, monkeypatch):
    data, _ = table()
    model = Timed(mlp(5, 3).make, seconds, monkeypatch)
    found = relative_cost(Treatment(), model, data, TRAINING)
    assert found == pytest.approx((1.0, 1.0, seconds))
    assert model.forwards <= most


def test_noise_on_weights_costs_no_memory_worth_naming():
    data, _ = table(features=128)
    plan = tn.Plan(tn.Injection(tn.Gaussian(0.1), at=tn.Weights()))
    found = relative_cost(Treatment(plan), mlp(128, 3, width=64), data, TRAINING)
    assert 1.0 <= found.memory < 1.1
    assert found.time > 0
    assert found.clean_step > 0


def test_threads_and_random_numbers_stay():
    data, _ = table()
    before, threads = torch.random.get_rng_state(), torch.get_num_threads()
    relative_cost(Treatment(), mlp(5, 3), data, TRAINING)
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.get_num_threads() == threads


def test_adversarial_noise_is_timed_with_its_two_forwards(monkeypatch):
    """What takes a gradient first costs a forward and half a backward more: here, two forwards for one."""
    data, _ = table()
    model = Timed(mlp(5, 3).make, 0.010, monkeypatch)
    plan = tn.Plan(tn.Injection(tn.FGSM(0.1), at=tn.Inputs()))
    assert relative_cost(Treatment(plan), model, data, TRAINING).time == pytest.approx(2.0)
