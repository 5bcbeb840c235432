"""The worked example of CONTRIBUTING.md does what it says."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from cases import Kind, at_identity, attach_to, data, net, same, train_step
from torch import nn

import torchnoise as tn
from torchnoise import oracle
from torchnoise.kernels import launch

PAGE = Path(__file__).parent.parent / "CONTRIBUTING.md"


def block(name: str) -> str:
    """The code block behind <!-- test: name -->."""
    found = re.search(rf"<!-- test: {name} -->\n```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found, name
    return found.group(1)


def test_the_source_of_the_worked_example_keeps_the_laws() -> None:
    names: dict = {"Kind": Kind}
    exec(compile(block("source"), str(PAGE), "exec"), names)
    kind = eval(block("row"), names)

    x = torch.zeros(8, 1000)
    drawn = at_identity(kind.noise, x)
    assert 0.29 < drawn.abs().max() < 0.3
    assert abs(drawn.mean()) < 4 * 0.3 / (6 * x.numel()) ** 0.5  # 4 sigma

    with tn.attach(nn.Identity(), tn.Injection(kind.noise, at=tn.Inputs())) as noise:
        assert same(torch.cat([noise.model(x[:3]), noise.model(x[3:])]), drawn)
    for place in (tn.Inputs(), tn.Activations("block.*"), tn.Weights(), tn.Gradients()):
        model = net()
        attachment, optimizer = attach_to(model, kind.noise, place)
        train_step(model, data(), optimizer)
        attachment.detach()

    broken: dict = {"Kind": Kind}
    source = block("source").replace("* strength)", "* strength**2)")
    assert source != block("source")
    exec(compile(source, str(PAGE), "exec"), broken)
    wrong = eval(block("row"), broken)
    words = torch.arange(8).reshape(2, 4)
    s = torch.tensor(0.3)
    assert same(kind.noise.draw(words, s).values, kind.noise.draw(words, torch.tensor(1.0)).values * s)
    assert not same(wrong.noise.draw(words, s).values, wrong.noise.draw(words, torch.tensor(1.0)).values * s)


def test_the_kernel_of_the_worked_example_has_the_same_bits() -> None:
    """Broken on purpose: `_sign` from another bit."""
    names: dict = {"Kind": Kind, "__name__": "worked_example"}
    code = block("kernel") + block("source") + "\n" + block("method")
    exec(compile(code, str(PAGE), "exec"), names)
    kind = eval(block("row"), names)
    x, at = data(8, 1000), tn.address(seed=1, examples=8)
    static = oracle.Static(kind.noise, "add", 0)
    strength = torch.tensor(0.3)
    assert launch.task(x, x, static, strength, at) is not None
    assert same(tn.noisy(x, kind.noise, at), oracle.perturb(x, static, strength, at, None, None))


def test_every_file_that_the_page_names_exists() -> None:
    root = PAGE.parent
    for name in (
        "src/torchnoise/sources/bernoulli.py",
        "src/torchnoise/streams/normal.py",
        "src/torchnoise/kernels/scalar.py",
        "tests/cases.py",
        "tests/sabotage.py",
    ):
        assert (root / name).exists(), name
