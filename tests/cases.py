"""The one table: every kind of noise, every site, and small models to put them in. Every law runs over it.

A new source joins with one row in KINDS.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

import torchnoise as tn
from torchnoise.noise import Noise
from torchnoise.sites.site import Site


@dataclass(frozen=True)
class Kind:
    """One kind of noise. scale: what the law of scale says of it.

    "linear": the noise at strength s is s times the unit noise. "nested": elements hit at p1 are hit at p2 > p1.
    None: neither (an adversarial direction, a draw that replaces everything, a strength that enters otherwise).
    """

    name: str
    noise: Noise
    scale: str | None = "linear"
    whole_numbers: bool = False
    alone: bool = True  # an element is drawn from its own words, so any slice of an example can be


@dataclass(frozen=True)
class Place:
    """One site of `Net`, and whether its noise belongs to examples."""

    name: str
    site: Site
    per_example: bool = True


KINDS = [
    Kind("gaussian", tn.Gaussian(0.3)),
    Kind("gaussian_abs", tn.Gaussian(0.3, relative_to="abs")),
    Kind("gaussian_rms", tn.Gaussian(0.3, relative_to="rms")),
    Kind("gaussian_std", tn.Gaussian(0.3, relative_to="std")),
    Kind("gaussian_multiply", tn.Gaussian(0.3, combine="multiply")),
    Kind("gaussian_replace", tn.Gaussian(0.3, combine="replace"), scale=None),
    Kind("gaussian_learned", tn.Gaussian(1.0, relative_to=tn.Learned(0.2)), scale=None),
    Kind("uniform", tn.Uniform(0.3)),
    Kind("uniform_rms", tn.Uniform(0.3, relative_to="rms")),
    Kind("uniform_multiply", tn.Uniform(0.3, combine="multiply")),
    Kind("gaussian_max", tn.Gaussian(0.1, relative_to="max")),
    Kind("gaussian_size", tn.Gaussian(0.5, relative_to="size")),
    Kind("gaussian_l2", tn.Gaussian(0.5, relative_to="l2")),
    Kind("gaussian_snr", tn.Gaussian(1.0, relative_to=tn.SNR(10))),
    Kind("uniform_linf", tn.Uniform(0.3, relative_to="linf")),
    Kind("laplace", tn.Laplace(0.3)),
    Kind("laplace_snr", tn.Laplace(1.0, relative_to=tn.SNR(10))),
    Kind("student_t", tn.StudentT(0.3, df=4)),
    Kind("rademacher", tn.Rademacher(0.3)),
    Kind("speckle", tn.Speckle(0.3)),
    Kind("gaussian_dropout", tn.GaussianDropout(0.3), scale=None),
    Kind("gaussian_dropout_add", tn.GaussianDropout(0.3, combine="add", relative_to="abs"), scale=None),
    Kind("log_normal", tn.LogNormal(0.3), scale=None),
    Kind("poisson", tn.Poisson(0.3), scale=None),
    Kind("pink", tn.Colored(0.3, "pink"), alone=False),
    Kind("salt_and_pepper", tn.SaltAndPepper(0.3, low=-2.5, high=2.5), scale="nested"),
    Kind("salt_and_pepper_max", tn.SaltAndPepper(0.3, low=-1.0, high=0.9, relative_to="max"), scale="nested"),
    Kind("bernoulli_multiply", tn.Bernoulli(0.3), scale="nested"),
    Kind("bernoulli_add", tn.Bernoulli(0.3, combine="add", value=0.5), scale="nested"),
    Kind("bernoulli_replace", tn.Bernoulli(0.3, combine="replace", value=0.5), scale="nested"),
    Kind("bernoulli_rms", tn.Bernoulli(0.3, combine="replace", value=2.0, relative_to="rms"), scale="nested"),
    Kind("bernoulli_ids", tn.Bernoulli(0.3, combine="replace", value=7), scale="nested", whole_numbers=True),
    Kind("replace_tokens", tn.ReplaceTokens(0.3, vocabulary=40, never=(1, 3)), "nested", whole_numbers=True),
    Kind("replace_by_frequency", tn.ReplaceTokens(0.3, frequencies=[0, 2.5, 1, 4]), "nested", whole_numbers=True),
    Kind("mask_tokens", tn.MaskTokens(0.3, mask_id=3), "nested", whole_numbers=True),
    Kind("mask_tokens_bert", tn.MaskTokens(0.3, 3, keep=0.1, random=0.1, vocabulary=40), "nested", whole_numbers=True),
    Kind("drop_tokens", tn.DropTokens(0.3), "nested", whole_numbers=True),
    Kind("swap_tokens", tn.SwapTokens(0.3), "nested", whole_numbers=True, alone=False),
    Kind("jitter_tokens", tn.JitterTokens(2.0, vocabulary=40), scale=None, whole_numbers=True),
]

PLACES = [
    Place("input", tn.Inputs()),
    Place("activation", tn.Activations("block.*")),
    Place("activation_input", tn.Activations("block.1", side="input")),
    Place("weight", tn.Weights(), per_example=False),
    Place("gradient", tn.Gradients(), per_example=False),
]

PAIRS = [(kind, place) for kind in KINDS for place in PLACES]


def pair_name(value: object) -> str:
    """A readable parameter id for pytest."""
    return value.name if isinstance(value, Kind | Place) else str(value)


class Net(nn.Module):
    """A model whose author never thought of noise; `block` runs twice in each forward."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 6)
        self.block = nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 6))
        self.tail = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = self.run_block(self.head(x))
        return self.tail(self.run_block(h))

    def run_block(self, h: Tensor) -> Tensor:
        return self.block(h)


class Text(nn.Module):
    """Ids and a mask in, logits out: an embedding, attention, a tied output layer."""

    def __init__(self, vocabulary: int = 20, width: int = 8) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width, padding_idx=0)
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)
        self.out = nn.Linear(width, vocabulary, bias=False)
        self.out.weight = self.embedding.weight

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        h = self.embedding(input_ids)
        padding = None if attention_mask is None else attention_mask == 0
        h, _ = self.attention(h, h, h, key_padding_mask=padding, need_weights=False)
        return self.out(h)


def net(seed: int = 0) -> Net:
    """A Net with known weights, without touching torch's generator."""
    model = Net()
    fill(model, seed)
    return model


def fill(model: nn.Module, seed: int = 0) -> None:
    """Set every parameter from a generator of its own."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.5)


def data(batch: int = 8, features: int = 4, seed: int = 1) -> Tensor:
    """A fixed batch of inputs."""
    return torch.randn(batch, features, generator=torch.Generator().manual_seed(seed))


def attach_to(
    model: nn.Module, noise: Noise, site: Site, seed: int = 0, **more
) -> tuple[tn.Attachment, torch.optim.SGD]:
    """Attach one noise at one site, with an optimizer whose steps are counted."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    attachment = tn.attach(model, tn.Plan(tn.Injection(noise, at=site, **more)), seed=seed, optimizer=optimizer)
    return attachment, optimizer


def train_step(model: nn.Module, x: Tensor, optimizer: torch.optim.Optimizer) -> Tensor:
    """One step on a fixed objective; returns the outputs."""
    optimizer.zero_grad()
    out = model(x)
    (out - 0.5).square().mean().backward()
    optimizer.step()
    return out.detach()


def at_identity(noise: Noise, x: Tensor, seed: int = 0, steps: int = 0, **more) -> Tensor:
    """What one noise does to a tensor, seen at the input of a model that changes nothing else."""
    model = nn.Identity()
    site = tn.Tokens() if not x.is_floating_point() else tn.Inputs()
    with tn.attach(model, tn.Plan(tn.Injection(noise, at=site, **more)), seed=seed) as attachment, torch.no_grad():
        for _ in range(steps):
            model(x)
            attachment.step()
        return model(x)


def sample_for(kind: Kind, batch: int = 8, width: int = 11) -> Tensor:
    """A tensor that a kind may enter: floats, or ids from 10 to 19."""
    if kind.whole_numbers:
        return torch.randint(10, 20, (batch, width), generator=torch.Generator().manual_seed(3))
    return data(batch, width)


def same(a: Tensor, b: Tensor) -> bool:
    """Bit-equal: also the sign of zero counts, and NaN equals itself."""
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    if not a.is_floating_point():
        return torch.equal(a, b)
    bits = {torch.float64: torch.int64, torch.float32: torch.int32}.get(a.dtype, torch.int16)
    return torch.equal(a.detach().contiguous().view(bits), b.detach().contiguous().view(bits))
