"""Models of the user's, by package.module:function."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from lab.models.small_data import NUMBER, TEXTS, images, table, texts
from torch import nn

from torchnoise.lab.models import find
from torchnoise.lab.models.weights import hash_of

CODE = """
import random
import numpy as np
import torch
from torch import nn

torch.manual_seed(99)  # modules do such things
np.random.rand()

def make(): return nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 2))
def by_numpy():
    model = make()
    with torch.no_grad():
        model[0].weight += torch.tensor(np.random.randn(8, 5) + random.random())
    return model
def fixed():
    torch.manual_seed(1)
    return make()
ready = make().eval()
def same(): return ready
torch.rand(1)
second = nn.Linear(5, 2)
counted = [0.0]
def restless():
    model = make()
    counted[0] += 1
    nn.init.constant_(model[0].bias, counted[0])
    return model

class Tuple(nn.Linear):
    def forward(self, x): return super().forward(x), x
def pair(): return Tuple(5, 2)
def flat(): return nn.Sequential(nn.Linear(5, 1), nn.Flatten(0))
class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(14, 2)
        self.masks = []
    def forward(self, ids, attention_mask=None):
        self.masks.append(attention_mask)
        return (self.embedding(ids) * attention_mask[..., None]).sum(1)

def wide(): return nn.Linear(5, 3)
def narrow(): return nn.Linear(3, 2)
def needs(inputs, outputs): return nn.Linear(inputs, outputs)
def lazy(): return nn.LazyLinear(2)
def frozen(): return make().requires_grad_(False)
def fails(): raise RuntimeError("no\\nluck")
number = 3
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a module of models, where the command is typed."""
    (tmp_path / "ours.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "ours", raising=False)
    yield tmp_path
    sys.modules.pop("ours", None)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("make", "ours:make, Sequential of 66 parameters, initialised from each run's seed"),
        ("by_numpy", "ours:by_numpy, Sequential of 66 parameters, initialised from each run's seed"),
        ("fixed", "ours:fixed, Sequential of 66 parameters, with the same weights for every seed"),
        ("ready", "ours:ready, Sequential of 66 parameters, fine-tuned from its own weights"),
        ("same", "ours:same, Sequential of 66 parameters, fine-tuned from its own weights"),
    ],
)
def test_built_from_a_seed_or_from_its_own_weights(here: Path, name: str, said: str) -> None:
    """Training one build changes no other; global generators stay.

    Broken on purpose: a ready model without deepcopy; NumPy's generator not seeded.
    """
    torch.manual_seed(3)
    np.random.seed(3)
    states = torch.get_rng_state(), str(np.random.get_state())
    model = find(f"ours:{name}", table())
    assert (model.name, model.described) == (f"ours:{name}", said)
    net = model.build(0)
    before = hash_of(net)
    assert net.training
    assert model.outputs(net, table().train.x).shape == (12, 2)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
    again = model.build(0)
    assert again is not net
    assert hash_of(again) == before
    assert (hash_of(model.build(1)) != before) == (name in ("make", "by_numpy"))
    assert torch.equal(torch.get_rng_state(), states[0])
    assert str(np.random.get_state()) == states[1]


def test_the_same_in_another_process(here: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A process elsewhere that never heard of the module builds the same weights.

    Broken on purpose: importing without a seed (`ready`, `second`); without the folder.
    """
    models = [find(f"ours:{name}", table()) for name in ("make", "by_numpy", "ready", "second")]
    (here / "models.pickle").write_bytes(pickle.dumps(models))
    code = (
        "import pickle, sys, torch; torch.manual_seed(8)\n"
        "from torchnoise.lab.models.weights import hash_of\n"
        "print(*(hash_of(model.build(4)) for model in pickle.load(open(sys.argv[1], 'rb'))))"
    )
    command = [sys.executable, "-c", code, str(here / "models.pickle")]
    there = tmp_path_factory.mktemp("elsewhere")
    done = subprocess.run(command, cwd=there, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == [hash_of(model.build(4)) for model in models]


def test_a_ready_model_that_was_trained_meanwhile(here: Path) -> None:
    model = find("ours:ready", table())
    with torch.no_grad():
        sys.modules["ours"].ready[0].bias.add_(1.0)
    with pytest.raises(ValueError, match="--model ours:ready: its weights are others than before, allowed: a function"):
        model.build(0)


def test_answers(here: Path) -> None:
    """A tuple's first; one number as a column; for word ids a mask beside them."""
    model = find("ours:pair", table())
    assert model.outputs(model.build(0), table().train.x).shape == (12, 2)
    model = find("ours:flat", table(task=NUMBER))
    assert model.outputs(model.build(0), table().train.x).shape == (12, 1)
    data = texts()
    model = find("ours:Words", data)
    assert model.encoder(TEXTS).shape == (6, 9)
    net = model.build(0)
    assert model.outputs(net, model.encoder(TEXTS)).shape == (6, 2)
    assert torch.equal(net.masks[-1], (model.encoder(TEXTS) != 0).long())
    assert isinstance(net.embedding, nn.Embedding)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("ours:wide", ": its output for a batch of shape (2, 5) has shape (2, 3), allowed: (2, 2): 2 outputs, one for"),
        ("ours:narrow", ": its forward failed on a batch of shape (2, 5): mat1 and mat2 shapes cannot be multiplied"),
        (
            "ours:needs",
            ": takes arguments; allowed: a function without, which returns a model for inputs of shape (5,)",
        ),
        ("ours:lazy", ": it has lazy layers, whose weights no seed decides, allowed: layers with their sizes"),
        ("ours:frozen", ": it has no parameters to train"),
        ("ours:restless", ": its weights are others at each call, allowed: weights drawn from torch's generator"),
        ("ours:fails", ": calling it gave RuntimeError: no luck"),
        ("ours:number", " is int, allowed: a torch.nn.Module, or a function that gives one"),
        ("ours:mkae", ": 'ours' has no 'mkae'; did you mean 'make'"),
        ("theirs:make", ": importing 'theirs' gave ModuleNotFoundError: No module named 'theirs'"),
    ],
)
def test_what_cannot_be_used(here: Path, name: str, says: str) -> None:
    with pytest.raises(ValueError, match=r"^--model ") as found:
        find(name, table())
    assert str(found.value).startswith(f"--model {name}{says}")
    assert "\n" not in str(found.value)


def test_what_a_function_for_texts_is_told(here: Path) -> None:
    with pytest.raises(ValueError, match=r"for word ids of shape \(9,\) below 14, 0 being padding, and 2 outputs"):
        find("ours:needs", texts())
    with pytest.raises(ValueError, match=r"for inputs of shape \(1, 8, 8\) and 2 outputs"):
        find("ours:needs", images())
