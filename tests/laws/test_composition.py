"""Law 8: noise composes with what people already use."""

from __future__ import annotations

import pytest
import torch
from cases import Text, attach_to, data, fill, net, same, train_step
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

import torchnoise as tn

PLAN = tn.Plan(
    tn.Injection(tn.Gaussian(0.3), at=tn.Inputs()),
    tn.Injection(tn.Gaussian(0.3, relative_to="rms"), at=tn.Activations("block.*")),
    tn.Injection(tn.Gaussian(0.3, relative_to="rms"), at=tn.Weights()),
)


def test_autocast() -> None:
    """Noise in bfloat16 is float32's noise, rounded; weights are noised before they are cast."""
    model = net()
    with torch.autocast("cpu", torch.bfloat16), tn.attach(model, PLAN):
        out = model(data())
        out.float().square().sum().backward()
    assert out.dtype == torch.bfloat16
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    with tn.attach(model, PLAN):
        torch.testing.assert_close(out.float(), model(data()), rtol=0.1, atol=0.1)


def test_gradient_accumulation_equals_the_whole_batch() -> None:
    """Four micro-batches of 2 train like one batch of 8, with noise at every site."""
    plan = PLAN + tn.Plan(tn.Injection(tn.Gaussian(0.1), at=tn.Gradients()))
    trained = []
    for parts in (1, 4):
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        with tn.attach(model, plan, optimizer=optimizer):
            for step in range(5):
                optimizer.zero_grad()
                for part in data(seed=step).chunk(parts):
                    ((model(part) - 0.5).square().sum() / 24).backward()
                optimizer.step()
        trained.append([p.detach() for p in model.parameters()])
    for a, b in zip(*trained, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)  # sums over parts round in another order


@pytest.mark.parametrize("fused", [False, True])
def test_grad_scaler(fused: bool) -> None:
    """Scaled and unscaled training get the same noise, also where a fused optimizer is handed scaled gradients.

    Broken on purpose: `noise_gradient` that leaves grad_scale out (red for the fused optimizer).
    """
    trained = []
    for scale in (1.0, 1024.0):
        model = net()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01, fused=fused)
        scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        with tn.attach(model, tn.Injection(tn.Gaussian(0.5), at=tn.Gradients()), optimizer=optimizer) as noise:
            for step in range(4):
                optimizer.zero_grad()
                scaler.scale((model(data(seed=step)) - 0.5).square().mean()).backward()
                scaler.step(optimizer)
                scaler.update()
            assert noise.current_step == 4
        trained.append([p.detach() for p in model.parameters()])
    for a, b in zip(*trained, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_a_step_that_the_scaler_skips_does_not_count() -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    with tn.attach(model, tn.Injection(tn.Gaussian(0.5), at=tn.Gradients()), optimizer=optimizer) as noise:
        scaler.scale(model(data()).sum() * float("inf")).backward()
        scaler.step(optimizer)
        scaler.update()
        assert noise.current_step == 0


def test_clip_then_noise() -> None:
    """By default noise comes after the clipping; gradients() puts it before."""
    norms = []
    for order in ("clip, noise", "noise, clip"):
        model = net()
        noise, optimizer = attach_to(model, tn.Gaussian(1.0), tn.Gradients())
        model(data()).square().sum().backward()
        if order == "noise, clip":
            noise.gradients()
        clip_grad_norm_(model.parameters(), 0.1)
        optimizer.step()
        norms.append(torch.cat([p.grad.flatten() for p in model.parameters()]).norm())
        noise.detach()
    count = sum(p.numel() for p in model.parameters())
    assert norms[0] == pytest.approx(count**0.5, rel=0.25)  # 3 sigma at 135 elements is 0.18
    assert norms[1] == pytest.approx(0.1, rel=1e-4)


def test_learning_rate_schedulers_and_parameter_groups() -> None:
    model = net()
    optimizer = torch.optim.SGD(
        [{"params": model.head.parameters()}, {"params": model.tail.parameters(), "lr": 0.5}], lr=0.1
    )
    scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, total_iters=3)
    with tn.attach(model, PLAN, optimizer=optimizer) as noise:
        for _ in range(3):
            train_step(model, data(), optimizer)
            scheduler.step()
        assert noise.current_step == 3


class LoRA(nn.Module):
    """A low-rank adapter around a frozen linear layer, as adapter libraries write it."""

    def __init__(self, base: nn.Linear, rank: int = 2) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.down = nn.Linear(base.in_features, rank, bias=False)
        self.up = nn.Linear(rank, base.out_features, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + self.up(self.down(x))


def test_lora_adapters() -> None:
    """Noise on the adapters alone; the frozen base keeps its bits, and gets no gradient."""
    model = nn.Sequential(LoRA(nn.Linear(4, 4)), nn.ReLU(), LoRA(nn.Linear(4, 2)))
    fill(model)
    plan = tn.Plan(
        tn.Injection(tn.Gaussian(0.1), at=tn.Weights("*.down", "*.up")),
        tn.Injection(tn.Gaussian(0.1), at=tn.Activations("*.base")),
        tn.Injection(tn.Gaussian(0.1), at=tn.Gradients()),
    )
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.1)
    base = model[0].base.weight.clone()
    with tn.attach(model, plan, optimizer=optimizer) as noise:
        train_step(model, data(), optimizer)
        sites = [r.site for r in noise.report().rows]
    assert same(model[0].base.weight, base)
    assert sites == [f"{i}.{n}.weight (weight)" for i in (0, 2) for n in ("down", "up")] + [
        "0.base (activation.output)",
        "2.base (activation.output)",
    ] + [f"{i}.{n}.weight (gradient)" for i in (0, 2) for n in ("down", "up")]


def test_convolutions_and_channels_last() -> None:
    """The memory format neither changes the noise nor is changed by it."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 3))
    fill(model)
    x = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    plan = tn.Plan(
        tn.Injection(tn.Gaussian(0.3), at=tn.Inputs()),
        tn.Injection(tn.Gaussian(0.3, relative_to="std"), at=tn.Activations(nn.ReLU)),
        tn.Injection(tn.Bernoulli(0.3), at=tn.Activations(nn.ReLU)),
        tn.Injection(tn.Gaussian(0.3, relative_to="rms"), at=tn.Weights(nn.Conv2d)),
    )
    with tn.attach(model, plan):
        out = model(x)
    with tn.attach(model, plan):
        last = model.to(memory_format=torch.channels_last)(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(out, last, rtol=1e-4, atol=1e-5)
    with tn.attach(nn.Identity(), tn.Injection(tn.Gaussian(0.3), at=tn.Inputs())) as noise:
        straight = noise.model(x)
    with tn.attach(nn.Identity(), tn.Injection(tn.Gaussian(0.3), at=tn.Inputs())) as noise:
        turned = noise.model(x.contiguous(memory_format=torch.channels_last))
    assert same(straight, turned)
    assert turned.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_recurrent_models(kind: type[nn.RNNBase], batch_first: bool) -> None:
    """Weight noise reaches the recurrent weights; the batch axis is where batch_first says."""
    model = kind(3, 5, batch_first=batch_first)
    fill(model)
    x = data(4, 18).reshape(4, 6, 3)
    x = x if batch_first else x.transpose(0, 1).contiguous()
    axis = 0 if batch_first else 1
    clean = model(x)[0]
    flat = list(model._flat_weights)
    with tn.attach(model, tn.Injection(tn.Gaussian(0.3), at=tn.Weights()), batch_axis=axis) as noise:
        noisy = model(x)[0]
        noisy.sum().backward()
        assert len(noise.report().rows) == 2
    assert not torch.isclose(noisy, clean).any()
    assert all(a is b for a, b in zip(flat, model._flat_weights, strict=True))
    assert all(p.grad is not None for p in model.parameters())
    found = []
    for parts in (1, 2):
        with tn.attach(model, tn.Injection(tn.Gaussian(0.3), at=tn.Activations("")), batch_axis=axis):
            found.append(torch.cat([model(p)[0] for p in x.chunk(parts, axis)], axis))
    torch.testing.assert_close(*found)


def test_a_hand_written_cell_that_runs_many_times() -> None:
    """Each call draws its own noise; weights keep one draw for the whole step."""

    class Cell(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = nn.Linear(3, 3, bias=False)

        def forward(self, x: Tensor) -> list[Tensor]:
            return [self.cell(x) for _ in range(4)]

    model = Cell()
    with tn.attach(model, tn.Injection(tn.Gaussian(1.0), at=tn.Weights())):
        outs = model(torch.eye(3))
        assert all(same(outs[0], o) for o in outs[1:])
    with tn.attach(model, tn.Injection(tn.Gaussian(1.0), at=tn.Activations("cell"))):
        outs = model(torch.eye(3))
        assert not any(torch.isclose(outs[0], o).any() for o in outs[1:])


def test_multihead_attention_owns_what_its_child_never_runs() -> None:
    """Noise on out_proj's weight, and on its output, enters through the parent; its input cannot be reached."""
    model = nn.MultiheadAttention(8, 2, batch_first=True)
    fill(model)
    x = data(2, 24).reshape(2, 3, 8)
    clean = model(x, x, x)[0]
    with tn.attach(model, tn.Injection(tn.Gaussian(0.5), at=tn.Weights("out_proj.weight"))) as noise:
        assert not torch.isclose(model(x, x, x)[0], clean).any()
        noise.step()  # warns, an error here, if the point never ran
    with tn.attach(model, tn.Injection(tn.Gaussian(0.5), at=tn.Activations("out_proj"))) as noise:
        assert not torch.isclose(model(x, x, x)[0], clean).any()
        noise.step()
    with pytest.raises(LookupError, match="never calls it"):
        tn.attach(model, tn.Injection(tn.Gaussian(0.5), at=tn.Activations("out_proj", side="input")))
    assert same(model(x, x, x)[0], clean)


def test_transformer_layers_in_eval_on_purpose() -> None:
    """torch's fused inference path skips the modules that carry noise; active() switches it off, and on again."""
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    model = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()
    fill(model)
    x = data(2, 24).reshape(2, 3, 8)
    with torch.no_grad():
        clean = model(x)
        with tn.attach(model, tn.Injection(tn.Gaussian(0.5), at=tn.Activations("layers.*.linear1"))) as noise:
            assert same(model(x), clean)
            with tn.active(model):
                assert not torch.isclose(model(x), clean).all()
            noise.step()
    assert torch.backends.mha.get_fastpath_enabled()


def test_dict_and_tuple_inputs_and_outputs() -> None:
    """Named tensors in nests; what is not named stays the same object."""

    class Nested(nn.Module):
        def forward(self, batch: dict, pair: tuple[Tensor, Tensor]) -> tuple:
            return batch, pair

    x, y = torch.zeros(3, 2), torch.zeros(3, 1)
    model = Nested()
    with tn.attach(model, tn.Injection(tn.Gaussian(1.0), at=tn.Inputs("pixels", "pair.1"))):
        batch, pair = model({"pixels": x, "labels": y}, (x, y))
    assert batch["labels"] is y
    assert pair[0] is x
    assert (batch["pixels"] != 0).all()
    assert (pair[1] != 0).all()
    with (
        tn.attach(model, tn.Injection(tn.Gaussian(1.0), at=tn.Inputs())),
        pytest.raises(LookupError, match=r"several candidates .*'batch.pixels', 'batch.labels'"),
    ):
        model({"pixels": x, "labels": y}, (x, y))


def test_rows_merged_into_the_batch_axis() -> None:
    """After a flatten, k successive rows belong to one example; without the word, that is refused."""

    class Flat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x.flatten(0, 1)).unflatten(0, x.shape[:2])

    x = torch.zeros(4, 3, 5)
    model = Flat()
    found = []
    for parts in (1, 2):
        with tn.attach(model, tn.Injection(tn.Gaussian(1.0), at=tn.Activations("inner", merged=True))):
            found.append(torch.cat([model(p) for p in x.chunk(parts)]))
    assert same(*found)
    with (
        tn.attach(model, tn.Injection(tn.Gaussian(1.0), at=tn.Activations("inner"))),
        pytest.raises(ValueError, match="merged=True"),
    ):
        model(x)


def test_tied_embeddings_and_padding_in_a_text_model() -> None:
    model = Text()
    fill(model)
    ids = torch.tensor([[3, 4, 5, 0], [6, 7, 0, 0]])
    plan = tn.Plan(
        tn.Injection(tn.Gaussian(0.1), at=tn.Embeddings()),
        tn.Injection(tn.Gaussian(0.1), at=tn.Weights()),
        tn.Injection(tn.Bernoulli(0.2, combine="replace", value=9), at=tn.Tokens(special=(3,))),
    )
    keys = list(model.state_dict())
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    with tn.attach(model, plan, optimizer=optimizer) as noise:
        for _ in range(3):
            optimizer.zero_grad()
            model(ids, (ids != 0).long()).logsumexp(-1).mean().backward()
            optimizer.step()
        sites = [r.site for r in noise.report().rows]
    assert list(model.state_dict()) == keys
    assert model.out.weight is model.embedding.weight
    assert sites.count("embedding.weight (weight)") == 1
    assert "out.weight (weight)" not in sites


def test_predict_under_training_changes_nothing() -> None:
    """Samples in the middle of training: modes, numbers and noise go on as if they had not been."""
    trained = []
    for look in (False, True):
        model = net()
        model.block.eval()
        noise, optimizer = attach_to(model, tn.Gaussian(0.3), tn.Inputs())
        for step in range(3):
            if look:
                found = tn.predict(model, data(), samples=4)
                assert found.variance.min() > 0
            train_step(model, data(seed=step), optimizer)
        assert not model.block.training
        noise.detach()
        trained.append([p.detach() for p in model.parameters()])
    assert all(same(a, b) for a, b in zip(*trained, strict=True))


def test_predict_is_what_it_says() -> None:
    """Against the definition: mean and variance over samples drawn one by one; entropy of the mean."""
    model = net()
    with tn.attach(model, tn.Injection(tn.Gaussian(1.0), at=tn.Inputs())):
        found = tn.predict(model, data(), samples=16)
        model.eval()
        draws = []
        for sample in range(16):
            with tn.active(model, sample), torch.no_grad():
                draws.append(model(data()).softmax(-1))
    stacked = torch.stack(draws)
    torch.testing.assert_close(found.mean, stacked.mean(0))
    torch.testing.assert_close(found.variance, stacked.var(0, correction=0), rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(found.entropy, torch.distributions.Categorical(stacked.mean(0)).entropy())
