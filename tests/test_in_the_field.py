"""What people's models and loops do: each of these once gave wrong numbers, a crash, or silence."""

from __future__ import annotations

import copy
import gc
import weakref
from dataclasses import dataclass
from types import MethodType

import pytest
import torch
from cases import attach_to, data, fill, net, same, train_step
from torch import Tensor, nn
from torch.nn.utils import prune
from torch.utils.checkpoint import checkpoint

import torchnoise as tn

MULTIPLY = tn.Gaussian(0.5, combine="multiply")


@dataclass
class Output:
    """What many libraries return: neither tuple nor dict."""

    logits: Tensor


class Returns(nn.Module):
    """A checkpointed part, and an output whose tensors are hard to find."""

    def __init__(self, how: str, on: bool) -> None:
        super().__init__()
        self.a, self.how, self.on = nn.Linear(4, 4), how, on
        self.kept: list[Tensor] = []
        fill(self)

    def forward(self, x: Tensor) -> object:
        out = checkpoint(self.a, x, use_reentrant=False).sin() if self.on else self.a(x).sin()
        self.kept.append(out)
        return {"dataclass": Output(out), "none": None, "object": type("Opaque", (), {"out": out})()}[self.how]


@pytest.mark.parametrize("how", ["dataclass", "none", "object"])
@pytest.mark.parametrize("between", [False, True])
def test_checkpointing_with_outputs_of_any_kind(how: str, between: bool) -> None:
    """Two forwards, or one and another without gradients, then backward: exact, wherever the outputs are kept."""
    found = []
    for on in (False, True):
        model = Returns(how, on)
        with tn.attach(model, tn.Injection(MULTIPLY, at=tn.Activations("a"))):
            model(data())
            if between:
                with torch.no_grad():
                    model(data() + 1)
            else:
                model(data() + 1)
            sum(k.sum() for k in model.kept if k.requires_grad).backward()
        found.append([p.grad for p in model.parameters()])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_a_mode_that_changes_before_the_recompute_is_refused() -> None:
    """Without its noise the recompute would give wrong gradients, silently in the reentrant mode."""

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return checkpoint(self.a, x, use_reentrant=True)

    model = Model()
    with tn.attach(model, tn.Injection(MULTIPLY, at=tn.Activations("a"))):
        loss = model(data().requires_grad_()).sum()
        model.eval()
        with pytest.raises(RuntimeError, match="keep the mode until then"):
            loss.backward()


def test_labels_given_first_are_not_the_input() -> None:
    """Keywords come in any order; the input is the first of forward's signature."""

    class Model(nn.Module):
        def forward(self, x: Tensor, scale: Tensor | None = None, labels: Tensor | None = None) -> tuple:
            return x, labels

    x, labels = data(), torch.zeros(8)
    with tn.attach(Model(), tn.Injection(tn.Gaussian(1.0), at=tn.Inputs())) as noise:
        noisy, kept = noise.model(labels=labels, x=x)
        assert kept is labels
        assert not torch.isclose(noisy, x).any()
        with pytest.raises(LookupError, match=r"first argument 'x'"):
            noise.model.forward(labels=labels, scale=x)


def test_the_batch_axis_counts_at_the_input_too() -> None:
    x = data(4, 18).reshape(6, 4, 3)
    found = []
    for parts in (1, 2):
        with tn.attach(nn.Identity(), tn.Injection(tn.Gaussian(1.0), at=tn.Inputs()), batch_axis=1) as noise:
            found.append(torch.cat([noise.model(p) for p in x.chunk(parts, 1)], 1))
    assert same(*found)
    with tn.attach(nn.Identity(), tn.Injection(tn.Gaussian(1.0), at=tn.Inputs()), batch_axis=None) as noise:
        assert noise.model(torch.zeros(())).dim() == 0


def test_given_numbers_say_how_many_examples_there_are() -> None:
    """For models whose first tensor has no axis of examples, such as bags of ids."""
    bag = nn.EmbeddingBag(10, 4, mode="sum")
    ids, offsets = torch.arange(7), torch.tensor([0, 2, 5])
    with tn.attach(bag, tn.Injection(tn.Gaussian(1.0), at=tn.Embeddings())) as noise:
        noise.examples(torch.arange(3))
        assert not torch.isclose(bag(ids, offsets), copy.deepcopy(bag)(ids, offsets)).any()


@pytest.mark.parametrize("make", [lambda m: prune.l1_unstructured(m, "weight", 0.5), nn.utils.spectral_norm])
def test_a_weight_that_a_hook_computes_is_refused(make) -> None:
    """Noise on what it is computed from would come too late, and nobody would see it."""
    layer = nn.Linear(4, 4)
    make(layer)
    with pytest.raises(LookupError, match="a hook computes 'weight'"):
        tn.attach(nn.Sequential(layer), tn.Injection(tn.Gaussian(0.5), at=tn.Weights()))


def test_parametrized_weights_get_their_noise() -> None:
    model = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(4, 4)))
    clean = model(data())
    with tn.attach(model, tn.Injection(tn.Gaussian(0.5), at=tn.Weights())):
        assert not torch.isclose(model(data()), clean).any()


def test_bare_parameters_and_lists_of_them() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.own = nn.Parameter(torch.ones(3, 3))
            self.several = nn.ParameterList([torch.ones(3, 3)])

        def forward(self, x: Tensor) -> Tensor:
            return torch.cat([x @ self.own, x @ self.several[0]])

    with tn.attach(Model(), tn.Injection(tn.Gaussian(0.5), at=tn.Weights())) as noise:
        assert not torch.isclose(noise.model(torch.eye(3)), torch.ones(6, 3)).any()
        noise.step()


def test_the_embedding_of_padding_stays_under_weight_noise() -> None:
    model = nn.Embedding(6, 3, padding_idx=2)
    with tn.attach(model, tn.Injection(tn.Gaussian(0.5), at=tn.Weights())):
        out = model(torch.arange(6))
    assert (out[2] == 0).all()
    assert (out != copy.deepcopy(model).weight).sum() == 15


def test_gradient_noise_after_a_step_that_did_not_happen() -> None:
    """A skipped or abandoned step takes its noise with it; the next gradients get theirs."""
    model = net()
    noise, optimizer = attach_to(model, tn.Gaussian(1.0), tn.Gradients())
    for _ in range(2):  # as after GradScaler skipped a step
        optimizer.zero_grad()
        model(data()).sum().backward()
        clean = model.head.weight.grad.clone()
        noise.gradients()
        noised = model.head.weight.grad.clone()
        assert not torch.isclose(noised, clean).any()
        with tn.active(model):
            model(data())  # a look in between, with gradients on, begins nothing new
    optimizer.step()
    assert same(model.head.weight.grad, noised)
    noise.detach()


def test_adversarial_micro_batches() -> None:
    """Each micro-batch begins clean and gets its own gradient; a prediction in between changes nothing."""
    x = data()
    with tn.attach(nn.Tanh(), tn.Injection(tn.FGSM(0.5), at=tn.Inputs())) as noise:
        for part, sign in ((x[:4], 1.0), (x[4:], -1.0)):
            out = noise.model(part)
            assert same(out.detach(), part.tanh())
            noise.ascend((sign * out).sum())
            tn.predict(noise.model, x[:2], samples=1, output="values")
            noise.model.train()
            assert same(noise.model(part), (part + sign * 0.5).tanh())


def test_predict_with_labels_reads_the_logits() -> None:
    class Model(nn.Module):
        def forward(self, x: Tensor, labels: Tensor) -> dict:
            return {"loss": x.sum(), "logits": x}

    with tn.attach(Model(), tn.Injection(tn.Gaussian(0.1), at=tn.Inputs("x"))) as noise:
        assert tn.predict(noise.model, data(), torch.zeros(8), samples=2).mean.shape == (8, 4)
    with (
        tn.attach(nn.Sequential(), tn.Injection(tn.Gaussian(0.1), at=tn.Inputs()), batch_axis=None) as noise,
        pytest.raises(ValueError, match="a single number"),
    ):
        tn.predict(noise.model, torch.tensor(1.0), samples=2)


def test_predict_leaves_diagnosis_and_numbers_alone() -> None:
    model = net()
    with tn.attach(model, tn.Injection(tn.Gaussian(3e38), at=tn.Activations("head"))) as noise:
        loss = model(data()).sum()
        noise.examples(torch.arange(8))
        tn.predict(model, data(seed=5), samples=1, output="values")
        with pytest.raises(FloatingPointError, match="first seen at head"):
            noise.check(loss)


def test_a_step_inside_active_is_refused() -> None:
    with tn.attach(net(), tn.Injection(tn.Gaussian(0.1), at=tn.Inputs())) as noise:
        noise.model(data())
        with tn.active(noise.model), pytest.raises(RuntimeError, match=r"inside tn.active"):
            noise.step()


def test_resuming_between_two_passes() -> None:
    """Every pass's numbers are stored: the second micro-batch of each pass goes on where it was."""
    plan = tn.Injection(tn.Gaussian(1.0), at=tn.Inputs())
    x = torch.zeros(2, 5)

    def forward(noise: tn.Attachment, number: int) -> Tensor:
        with noise.on_pass(number):
            return noise.model(x)

    with tn.attach(nn.Identity(), plan) as noise:
        forward(noise, 0), forward(noise, 1), forward(noise, 0)
        state = noise.state_dict()
        wanted = [forward(noise, 1), forward(noise, 0)]
    with tn.attach(nn.Identity(), plan) as noise:
        noise.load_state_dict(state)
        assert all(same(forward(noise, n), w) for n, w in zip((1, 0), wanted, strict=True))


def test_an_optimizer_in_a_shell() -> None:
    """Accelerate hands out such shells."""
    model = net()
    inner = torch.optim.SGD(model.parameters(), lr=0.1)
    shell = type("Shell", (), {"optimizer": inner, "step": lambda self: self.optimizer.step()})()
    with tn.attach(model, tn.Injection(tn.Gaussian(0.1), at=tn.Gradients()), optimizer=shell) as noise:
        train_step(model, data(), inner)
        assert noise.current_step == 1


def test_copies_are_clean_also_below_another_wrapper() -> None:
    """A library that wraps our forward keeps the old one on the module, and copies take that along."""
    model = net()
    with tn.attach(model, tn.Injection(tn.Gaussian(1.0), at=tn.Inputs())):
        model._original_forward = model.forward
        wrapped = model.forward.__func__
        model.forward = MethodType(lambda self, *a, **k: wrapped(self, *a, **k), model)
        twin = copy.deepcopy(model)
        with torch.no_grad():
            for p in twin.parameters():
                p.zero_()
        assert (twin(data()) == 0).all()
        assert not (model(data()) == 0).any()


def test_an_attached_model_that_nobody_holds_goes() -> None:
    model = net()
    tn.attach(model, tn.Injection(tn.Gaussian(0.1), at=tn.Activations("**")))
    model(data()).sum().backward()
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


def test_torch_func_and_sparse_inputs() -> None:
    model = net()
    parameters = {k: v.detach() for k, v in model.named_parameters()}
    with tn.attach(model, tn.Injection(tn.Gaussian(0.1), at=tn.Activations("block.*"))) as noise:
        loss = lambda p: torch.func.functional_call(model, p, (data(),)).sum()  # noqa: E731
        grads = torch.func.grad(loss)(parameters)
        noise.step()
        noise._runner.go_to(0)
        model(data()).sum().backward()
    for name, p in model.named_parameters():
        torch.testing.assert_close(p.grad, grads[name])

    class Graph(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.out = nn.Linear(4, 2)

        def forward(self, adjacency: Tensor, x: Tensor) -> Tensor:
            return self.out(adjacency @ x)

    with tn.attach(Graph(), tn.Injection(tn.Gaussian(0.1), at=tn.Activations("out"))) as noise:
        noise.model(torch.eye(8).to_sparse(), data()).sum().backward()


def test_parts_in_training_mode_inside_a_model_in_eval() -> None:
    """As Monte Carlo dropout is often written: noise where the part trains, none elsewhere."""
    model = nn.Sequential(nn.Identity(), nn.Identity()).eval()
    model[1].train()
    x = torch.zeros(3, 4)
    seen: list[Tensor] = []
    model[0].register_forward_hook(lambda m, i, o: seen.append(o))
    with tn.attach(model, tn.Injection(tn.Gaussian(1.0), at=tn.Activations("*"))):
        assert (model(x) != 0).all()
    assert (seen[0] == 0).all()
